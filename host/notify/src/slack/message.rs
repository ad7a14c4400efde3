//! The body of a Slack message: one attachment, in the bytes that Alertmanager sends.

use crate::config::{SlackAction, SlackConfig};
use crate::render::json::{self, Object};

/// The longest title that Slack takes, in characters.
const MAX_TITLE: usize = 1024;

/// Parts that are formatted where the configuration names none.
const FORMATTED: [&str; 3] = ["fallback", "pretext", "text"];

/// What is added to a message to change an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The channel's id, as Slack told it.
    pub channel: String,
    /// The message's time, which is its id.
    pub ts: String,
}

/// Renders the body. `render` renders one template; the first error ends it.
pub fn body<E>(
    config: &SlackConfig,
    earlier: Option<&Earlier>,
    mut render: impl FnMut(&str) -> Result<String, E>,
) -> Result<String, E> {
    let mut attachment = Object::new();
    let (title, _) = truncate(&render(&config.title)?, MAX_TITLE);
    attachment
        .text_unless_empty("title", &title)
        .text_unless_empty("title_link", &render(&config.title_link)?)
        .text_unless_empty("pretext", &render(&config.pretext)?)
        .text("text", &render(&config.text)?)
        .text("fallback", &render(&config.fallback)?)
        .text("callback_id", &render(&config.callback_id)?);
    let mut fields = Vec::new();
    for field in &config.fields {
        let mut object = Object::new();
        object.text("title", &render(&field.title)?).text("value", &render(&field.value)?);
        let short = field.short.unwrap_or(config.short_fields);
        fields.push(object.raw("short", if short { "true" } else { "false" }).end());
    }
    if !fields.is_empty() {
        attachment.raw("fields", &json::list(fields));
    }
    if !config.actions.is_empty() {
        let actions: Result<Vec<String>, E> = config.actions.iter().map(|a| action(a, &mut render)).collect();
        attachment.raw("actions", &json::list(actions?));
    }
    attachment
        .text_unless_empty("image_url", &render(&config.image_url)?)
        .text_unless_empty("thumb_url", &render(&config.thumb_url)?)
        .text("footer", &render(&config.footer)?)
        .text_unless_empty("color", &render(&config.color)?);
    let formatted: Vec<&str> = config.mrkdwn_in.iter().map(String::as_str).collect();
    let formatted = if formatted.is_empty() { &FORMATTED[..] } else { &formatted };
    attachment.raw("mrkdwn_in", &json::list(formatted.iter().map(|name| quoted(name))));

    let mut message = Object::new();
    let channel = match earlier {
        Some(earlier) => earlier.channel.clone(),
        None => render(&config.channel)?,
    };
    message
        .text_unless_empty("channel", &channel)
        .text_unless_empty("username", &render(&config.username)?)
        .text_unless_empty("icon_emoji", &render(&config.icon_emoji)?)
        .text_unless_empty("icon_url", &render(&config.icon_url)?);
    if config.link_names {
        message.raw("link_names", "true");
    }
    message.text_unless_empty("text", &render(&config.message_text)?);
    message.raw("attachments", &json::list([attachment.end()]));
    if let Some(earlier) = earlier {
        message.text("ts", &earlier.ts);
    }
    // Go's encoder ends with a newline.
    Ok(message.end() + "\n")
}

fn action<E>(action: &SlackAction, render: &mut impl FnMut(&str) -> Result<String, E>) -> Result<String, E> {
    let mut object = Object::new();
    // A link opens an address and does nothing else: name, value and question belong to the other kind of button.
    let link = !action.url.is_empty();
    object
        .text_unless_empty("type", &render(&action.kind)?)
        .text_unless_empty("text", &render(&action.text)?)
        .text_unless_empty("url", &render(&action.url)?)
        .text_unless_empty("style", &render(&action.style)?);
    if link {
        return Ok(object.end());
    }
    object.text_unless_empty("name", &render(&action.name)?).text_unless_empty("value", &render(&action.value)?);
    if let Some(confirm) = &action.confirm {
        let mut question = Object::new();
        question
            .text_unless_empty("text", &render(&confirm.text)?)
            .text_unless_empty("title", &render(&confirm.title)?)
            .text_unless_empty("ok_text", &render(&confirm.ok_text)?)
            .text_unless_empty("dismiss_text", &render(&confirm.dismiss_text)?);
        object.raw("confirm", &question.end());
    }
    Ok(object.end())
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    json::string(&mut out, text);
    out
}

/// A text of at most `max` characters, and whether it was cut: the last one is an ellipsis then, where there is room for it.
pub fn truncate(text: &str, max: usize) -> (String, bool) {
    if text.chars().count() <= max {
        return (text.to_owned(), false);
    }
    if max <= 3 {
        return (text.chars().take(max).collect(), true);
    }
    (text.chars().take(max - 1).chain(['…']).collect(), true)
}

/// The same in bytes: never cut within a character; dots alone where there is no room for an ellipsis.
pub fn truncate_bytes(text: &str, max: usize) -> (String, bool) {
    const ELLIPSIS: char = '…';
    if text.len() <= max {
        return (text.to_owned(), false);
    }
    if max < ELLIPSIS.len_utf8() {
        return (".".repeat(max), true);
    }
    let mut end = max - ELLIPSIS.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (format!("{}{ELLIPSIS}", &text[..end]), true)
}
