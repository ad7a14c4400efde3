//! What the API shows, made from the machine's state.

use watchglass_model::TimeMs;

use crate::route::matches_all;
use crate::store::Stored;
use crate::turn::{by_labels, display_order};
use crate::{AlertFilter, AlertStatus, AlertView, Alerts, GroupFilter, GroupView};

impl Alerts {
    /// Alerts that are not resolved, by fingerprint, filtered as the API does.
    pub fn alerts(&self, filter: &AlertFilter, now: TimeMs) -> Vec<AlertView> {
        let views = self.store.iter().filter_map(|(fingerprint, stored)| self.view(fingerprint, stored, filter, now));
        views.collect()
    }

    /// Groups, by labels and receiver, filtered as the API does.
    pub fn groups(&self, filter: &GroupFilter, now: TimeMs) -> Vec<GroupView> {
        let mut views = Vec::new();
        for ((route, labels), group) in &self.groups {
            let muted_by = self.muted_by(*route, now);
            let receiver_wanted = filter.alerts.receiver.as_ref().is_none_or(|r| r.is_match(&group.receiver));
            if !receiver_wanted || (!filter.muted && !muted_by.is_empty()) {
                continue;
            }
            let stored = group.alerts.keys().filter_map(|f| Some((*f, self.store.get(*f)?)));
            let mut alerts: Vec<AlertView> =
                stored.filter_map(|(f, stored)| self.view(f, stored, &filter.alerts, now)).collect();
            alerts.iter_mut().for_each(|a| a.status.muted_by.clone_from(&muted_by));
            alerts.sort_by(|a, b| display_order(&a.alert.labels, &b.alert.labels));
            if !alerts.is_empty() {
                views.push(GroupView {
                    labels: labels.clone(),
                    receiver: group.receiver.clone(),
                    group_key: group.key.clone(),
                    group_by: self.tree.node(*route).group_by.clone(),
                    next_at: group.next_at,
                    alerts,
                });
            }
        }
        let fewer_labels_first =
            |a: &GroupView, b: &GroupView| by_labels(&a.labels, &b.labels).then_with(|| a.receiver.cmp(&b.receiver));
        views.sort_by(fewer_labels_first);
        views
    }

    /// One alert, unless it is over or the filter leaves it out.
    fn view(&self, fingerprint: u64, stored: &Stored, filter: &AlertFilter, now: TimeMs) -> Option<AlertView> {
        let labels = &stored.alert.labels;
        if stored.alert.resolved_at(now) || !matches_all(&filter.matchers, labels) {
            return None;
        }
        let routes = self.tree.matching(labels);
        let receivers: Vec<String> = routes.iter().map(|r| self.tree.node(*r).receiver.clone()).collect();
        if filter.receiver.as_ref().is_some_and(|wanted| !receivers.iter().any(|r| wanted.is_match(r))) {
            return None;
        }
        let status = AlertStatus {
            silenced_by: self.silences.silencing(labels, now).iter().map(|s| s.id.clone()).collect(),
            inhibited_by: self.inhibitor.inhibits(labels, &self.store, now).map(|i| i.by).into_iter().collect(),
            muted_by: Vec::new(),
        };
        let quiet = !status.silenced_by.is_empty() || !status.inhibited_by.is_empty();
        let wanted = (filter.active || quiet)
            && (filter.silenced || status.silenced_by.is_empty())
            && (filter.inhibited || status.inhibited_by.is_empty());
        wanted.then(|| AlertView {
            alert: stored.alert.clone(),
            fingerprint,
            updated_at: stored.updated_at,
            status,
            receivers,
        })
    }
}
