//! The templates that receivers use where their configuration says nothing, under Alertmanager's names.
//!
//! Written anew to give the same texts; a test compares them with Alertmanager's.

/// What the others are made of.
const PARTS: &str = r#"
{{- define "__alertmanager" }}Alertmanager{{ end -}}
{{- define "__alertmanagerURL" }}{{ printf "%s/#/alerts?receiver=%s" .ExternalURL (urlquery .Receiver) }}{{ end -}}
{{- define "__description" }}{{ end -}}

{{- define "__subject" -}}
	{{- $count := "" -}}
	{{- if eq .Status "firing" }}{{ $count = .Alerts.Firing | len | printf ":%d" }}{{ end -}}
	{{- printf "[%s%s] %s " (toUpper .Status) $count (join " " .GroupLabels.SortedPairs.Values) -}}
	{{- if lt (len .GroupLabels) (len .CommonLabels) -}}
		{{- $further := .CommonLabels.Remove .GroupLabels.Names -}}
		{{- printf "(%s)" (join " " $further.Values) -}}
	{{- end -}}
{{- end -}}

{{- define "__text_alert_list" -}}
	{{- range $alert := . -}}
		{{- "Labels:\n" -}}
		{{- range $alert.Labels.SortedPairs }}{{ printf " - %s = %s\n" .Name .Value }}{{ end -}}
		{{- "Annotations:\n" -}}
		{{- range $alert.Annotations.SortedPairs }}{{ printf " - %s = %s\n" .Name .Value }}{{ end -}}
		{{- printf "Source: %s\n" $alert.GeneratorURL -}}
	{{- end -}}
{{- end -}}

{{- define "__text_alert_list_markdown" -}}
	{{- range $alert := . -}}
		{{- "\nLabels:\n" -}}
		{{- range $alert.Labels.SortedPairs }}{{ printf "  - %s = %s\n" .Name .Value }}{{ end -}}
		{{- "\nAnnotations:\n" -}}
		{{- range $alert.Annotations.SortedPairs }}{{ printf "  - %s = %s\n" .Name .Value }}{{ end -}}
		{{- printf "\nSource: %s\n" $alert.GeneratorURL -}}
	{{- end -}}
	{{- "\n" -}}
{{- end -}}

{{- define "__color" }}{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}{{ end -}}
{{- define "__fallback" }}{{ template "__subject" . }} | {{ template "__alertmanagerURL" . }}{{ end -}}
{{- define "__annotations" }}{{ join " " .CommonAnnotations.SortedPairs.Values }}{{ "\n" }}{{ end -}}

{{- define "__alerts_close" -}}
	{{- with .Alerts.Firing }}{{ "Alerts Firing:\n" }}{{ template "__text_alert_list" . }}{{ end -}}
	{{- "\n" -}}
	{{- with .Alerts.Resolved }}{{ "Alerts Resolved:\n" }}{{ template "__text_alert_list" . }}{{ end -}}
{{- end -}}

{{- define "__alerts_wide" -}}
	{{- with .Alerts.Firing }}{{ "\nAlerts Firing:\n" }}{{ template "__text_alert_list" . }}{{ "\n" }}{{ end -}}
	{{- "\n" -}}
	{{- with .Alerts.Resolved }}{{ "\nAlerts Resolved:\n" }}{{ template "__text_alert_list" . }}{{ "\n" }}{{ end -}}
	{{- "\n" -}}
{{- end -}}

{{- define "__alerts_markdown" -}}
	{{- "\n" -}}
	{{- with .Alerts.Firing }}{{ "\n# Alerts Firing:\n" }}{{ template "__text_alert_list_markdown" . }}{{ "\n" }}{{ end -}}
	{{- "\n" -}}
	{{- with .Alerts.Resolved }}{{ "\n# Alerts Resolved:\n" }}{{ template "__text_alert_list_markdown" . }}{{ "\n" }}{{ end -}}
	{{- "\n" -}}
{{- end -}}

{{- define "jira.default.priority" -}}
	{{- $priority := "" -}}
	{{- range list .Alerts.Firing .Alerts.Resolved -}}
		{{- if eq $priority "" -}}
			{{- range . -}}
				{{- $severity := index .Labels "severity" -}}
				{{- if eq $severity "critical" }}{{ $priority = "High" -}}
				{{- else if and (eq $severity "warning") (ne $priority "High") }}{{ $priority = "Medium" -}}
				{{- else if and (eq $severity "info") (eq $priority "") }}{{ $priority = "Low" -}}
				{{- end -}}
			{{- end -}}
		{{- end -}}
	{{- end -}}
	{{- $priority -}}
{{- end -}}
"#;

/// Which templates give what, by receiver: `(body, names)`.
const NAMED: &[(&str, &str)] = &[
    (
        "{{ template \"__subject\" . }}",
        "slack.default.title pagerduty.default.description opsgenie.default.message victorops.default.entity_display_name \
         pushover.default.title sns.default.subject discord.default.title msteams.default.summary msteams.default.title \
         msteamsv2.default.title jira.default.summary rocketchat.default.title mattermost.default.title \
         email.default.subject",
    ),
    (
        "{{ template \"__alertmanager\" . }}",
        "slack.default.username pagerduty.default.client victorops.default.monitoring_tool rocketchat.default.alias \
         mattermost.default.username",
    ),
    (
        "{{ template \"__alertmanagerURL\" . }}",
        "slack.default.titlelink pagerduty.default.clientURL opsgenie.default.source pushover.default.url \
         rocketchat.default.titlelink mattermost.default.titlelink",
    ),
    ("{{ template \"__color\" . }}", "slack.default.color mattermost.default.color"),
    ("{{ template \"__fallback\" . }}", "slack.default.fallback mattermost.default.fallback"),
    (
        "",
        "slack.default.callbackid slack.default.pretext slack.default.iconemoji slack.default.iconurl slack.default.text \
         slack.default.footer wechat.default.to_user wechat.default.to_party wechat.default.to_tag wechat.default.agent_id \
         discord.default.content rocketchat.default.emoji rocketchat.default.iconurl rocketchat.default.text",
    ),
    ("{{ template \"__text_alert_list\" . }}", "pagerduty.default.instances"),
    (
        "{{ template \"__annotations\" . }}{{ template \"__alerts_close\" . }}",
        "opsgenie.default.description victorops.default.state_message",
    ),
    (
        "{{ template \"__subject\" . }}\n{{ template \"__annotations\" . }}{{ template \"__alerts_close\" . }}\
         \nAlertmanagerUrl:\n{{ template \"__alertmanagerURL\" . }}",
        "wechat.default.message",
    ),
    (
        "{{ template \"__annotations\" . }}{{ template \"__alerts_wide\" . }}",
        "pushover.default.message sns.default.message webex.default.message",
    ),
    ("\n{{ template \"__alerts_wide\" . }}", "telegram.default.message discord.default.message"),
    (
        "{{ template \"__alerts_markdown\" . }}",
        "msteams.default.text msteamsv2.default.text jira.default.description mattermost.default.text",
    ),
];

/// The text of all of them.
pub(super) fn text() -> String {
    let mut text = PARTS.to_owned();
    for (body, names) in NAMED {
        for name in names.split_whitespace() {
            text.push_str(&format!("{{{{ define {name:?} }}}}{body}{{{{ end }}}}"));
        }
    }
    text
}
