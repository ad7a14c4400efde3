//! The routing tree, with what each node inherits filled in.

use std::collections::{BTreeMap, BTreeSet};

use watchglass_model::{Labels, Matcher};

use crate::{GroupBy, Route, RoutingConfig, RoutingError, TimeInterval, matchers_text, sort_matchers};

/// How deep a tree may be nested: far above any real one, and well within the stack.
const MAX_DEPTH: usize = 64;

/// One node of a [`RouteTree`].
#[derive(Clone, Debug)]
pub struct RouteNode {
    /// Its key: the matchers from the root to here, as Alertmanager writes them.
    pub key: String,
    /// Name of its receiver.
    pub receiver: String,
    /// What it groups by.
    pub group_by: GroupBy,
    /// How long a new group waits, ms.
    pub group_wait: i64,
    /// How long between two turns of a group, ms.
    pub group_interval: i64,
    /// After how long an unchanged group is told again, ms.
    pub repeat_interval: i64,
    /// Names of intervals in which it is muted.
    pub mute_time_intervals: Vec<String>,
    /// Names of intervals outside of which it is muted.
    pub active_time_intervals: Vec<String>,
    /// Labels that go with its notifications.
    pub labels: Labels,
    matchers: Vec<Matcher>,
    continue_matching: bool,
    children: Vec<usize>,
}

/// The routing tree. Nodes are named by their index; the root is 0.
#[derive(Clone, Debug)]
pub struct RouteTree {
    nodes: Vec<RouteNode>,
}

impl RouteTree {
    /// Builds the tree and checks that what routes name is there.
    pub fn new(config: &RoutingConfig) -> Result<RouteTree, RoutingError> {
        let root = &config.route;
        if root.receiver.is_none() {
            return Err(RoutingError::NoReceiver);
        }
        if !root.matchers.is_empty() {
            return Err(RoutingError::RootMatchers);
        }
        if !root.mute_time_intervals.is_empty() {
            return Err(RoutingError::RootTimeIntervals("mute"));
        }
        if !root.active_time_intervals.is_empty() {
            return Err(RoutingError::RootTimeIntervals("active"));
        }
        let receivers: BTreeSet<&str> = config.receivers.iter().map(|r| r.name.as_str()).collect();
        let mut builder = Builder { receivers, intervals: &config.time_intervals, nodes: Vec::new() };
        builder.add(root, None, 0)?;
        Ok(RouteTree { nodes: builder.nodes })
    }

    /// The node of an index that [`RouteTree::matching`] gave.
    pub fn node(&self, index: usize) -> &RouteNode {
        &self.nodes[index]
    }

    /// Indexes of the nodes that alerts with these labels are sent by, in order: the deepest that match, and with `continue`
    /// their siblings after them. Never empty, as the root matches everything.
    pub fn matching(&self, labels: &Labels) -> Vec<usize> {
        let mut found = Vec::new();
        self.descend(0, labels, &mut found);
        found
    }

    /// Whether the node matches; if so, adds what it or its children send by.
    fn descend(&self, index: usize, labels: &Labels, found: &mut Vec<usize>) -> bool {
        let node = &self.nodes[index];
        if !matches_all(&node.matchers, labels) {
            return false;
        }
        let before = found.len();
        for child in &node.children {
            if self.descend(*child, labels, found) && !self.nodes[*child].continue_matching {
                break;
            }
        }
        if found.len() == before {
            found.push(index);
        }
        true
    }
}

impl RouteNode {
    /// The labels of the group that an alert belongs to.
    pub fn group_labels(&self, labels: &Labels) -> Labels {
        match &self.group_by {
            GroupBy::All => labels.clone(),
            GroupBy::Labels(names) => labels.filtered(|name, _| names.iter().any(|n| n == name)),
        }
    }

    /// The key of a group: the route's key and the group's labels.
    pub fn group_key(&self, group_labels: &Labels) -> String {
        let pairs = group_labels.iter().map(|(n, v)| format!("{n}={}", crate::gotext::go_quote(v)));
        format!("{}:{{{}}}", self.key, pairs.collect::<Vec<_>>().join(", "))
    }
}

/// Whether all matchers match; a label that is missing is an empty one.
pub(crate) fn matches_all(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|m| m.matches(labels.value(m.name())))
}

struct Builder<'a> {
    receivers: BTreeSet<&'a str>,
    intervals: &'a BTreeMap<String, Vec<TimeInterval>>,
    nodes: Vec<RouteNode>,
}

impl Builder<'_> {
    fn add(&mut self, route: &Route, parent: Option<usize>, depth: usize) -> Result<usize, RoutingError> {
        if depth > MAX_DEPTH {
            return Err(RoutingError::TooDeep(MAX_DEPTH));
        }
        let above = parent.map(|p| self.nodes[p].clone());
        let inherited = above.as_ref();
        let receiver = route.receiver.clone().or_else(|| inherited.map(|p| p.receiver.clone())).unwrap_or_default();
        if !self.receivers.contains(receiver.as_str()) {
            return Err(RoutingError::UnknownReceiver(receiver));
        }
        let mut named = route.mute_time_intervals.iter().chain(&route.active_time_intervals);
        if let Some(unknown) = named.find(|name| !self.intervals.contains_key(*name)) {
            return Err(RoutingError::UnknownTimeInterval(unknown.clone()));
        }
        let mut matchers = route.matchers.clone();
        sort_matchers(&mut matchers);
        let key = match inherited {
            Some(above) => format!("{}/{}", above.key, matchers_text(&matchers)),
            None => matchers_text(&matchers),
        };
        let (group_by, group_wait, group_interval, repeat_interval, labels) = match inherited {
            Some(p) => (p.group_by.clone(), p.group_wait, p.group_interval, p.repeat_interval, p.labels.clone()),
            None => (GroupBy::Labels(Vec::new()), 30_000, 300_000, 4 * 3_600_000, Labels::empty()),
        };
        let index = self.nodes.len();
        self.nodes.push(RouteNode {
            key,
            receiver,
            group_by: route.group_by.clone().unwrap_or(group_by),
            group_wait: route.group_wait.unwrap_or(group_wait).max(0),
            // Zero is refused where configuration is read; a turn that never ends must not come of it anyhow.
            group_interval: route.group_interval.unwrap_or(group_interval).max(1),
            repeat_interval: route.repeat_interval.unwrap_or(repeat_interval).max(1),
            mute_time_intervals: route.mute_time_intervals.clone(),
            active_time_intervals: route.active_time_intervals.clone(),
            labels: labels.iter().chain(route.labels.iter()).collect(),
            matchers,
            continue_matching: route.continue_matching,
            children: Vec::new(),
        });
        for child in &route.routes {
            let child = self.add(child, Some(index), depth + 1)?;
            self.nodes[index].children.push(child);
        }
        Ok(index)
    }
}
