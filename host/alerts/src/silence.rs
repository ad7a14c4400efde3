//! Silences: alerts that somebody does not want to hear of for a while.

use std::collections::{BTreeMap, BTreeSet};

use watchglass_model::{Labels, MatchOp, Matcher, TimeMs};

use crate::matchers::operator;
use crate::{Options, SilenceRecord};

/// Matchers that must all match.
pub type MatcherSet = Vec<Matcher>;

/// A silence, as the API's clients write and read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Silence {
    /// Its id (a UUID); empty in one that is to be made.
    pub id: String,
    /// An alert is silenced if all matchers of any set match it.
    pub matcher_sets: Vec<MatcherSet>,
    /// From when.
    pub starts_at: TimeMs,
    /// Until when.
    pub ends_at: TimeMs,
    /// When it was last changed; set by the machine.
    pub updated_at: TimeMs,
    /// Who made it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// Further texts.
    pub annotations: BTreeMap<String, String>,
}

/// Where a silence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SilenceState {
    /// It silences.
    Active,
    /// It will.
    Pending,
    /// It did.
    Expired,
}

impl SilenceState {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            SilenceState::Active => "active",
            SilenceState::Pending => "pending",
            SilenceState::Expired => "expired",
        }
    }
}

impl Silence {
    /// Where it stands at a time. Both ends belong to it.
    pub fn state(&self, now: TimeMs) -> SilenceState {
        if now < self.starts_at {
            SilenceState::Pending
        } else if now > self.ends_at {
            SilenceState::Expired
        } else {
            SilenceState::Active
        }
    }

    /// Whether its matchers match these labels, at whatever time.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matcher_sets.iter().any(|set| set.iter().all(|m| m.matches(labels.value(m.name()))))
    }
}

/// Why a silence was not taken or not expired.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SilenceError {
    /// There is none with this id.
    #[error("silence not found")]
    NotFound,
    /// Its times don't fit together, or with now.
    #[error("Failed to create silence: {0}")]
    Times(&'static str),
    /// It is not valid.
    #[error("invalid silence: {0}")]
    Invalid(String),
    /// There are too many, or it is too large.
    #[error("{0}")]
    Limit(String),
}

impl Silence {
    /// Checks what holds for every silence; the words are Alertmanager's.
    fn check(&self) -> Result<(), SilenceError> {
        let invalid = |text: String| Err(SilenceError::Invalid(text));
        if self.matcher_sets.is_empty() {
            return invalid("at least one matcher required".to_owned());
        }
        for (number, set) in self.matcher_sets.iter().enumerate() {
            if set.is_empty() {
                return invalid(format!("matcher set {number}: at least one matcher required"));
            }
            if let Some(at) = set.iter().position(|m| m.name().is_empty()) {
                return invalid(format!("invalid label matcher {at} in set {number}: invalid label name \"\""));
            }
            // A matcher with a `not` counts as one that says something, though it matches the empty string too.
            let says_nothing = |m: &Matcher| matches!(m.op(), MatchOp::Equal | MatchOp::Regex) && m.matches_empty();
            if set.iter().all(says_nothing) {
                return invalid(format!("matcher set {number}: at least one matcher must not match the empty string"));
            }
        }
        Ok(())
    }

    /// Bytes of its texts, about.
    fn size(&self) -> usize {
        let matchers = self.matcher_sets.iter().flatten().map(|m| m.name().len() + m.value().len() + 2);
        let annotations = self.annotations.iter().map(|(n, v)| n.len() + v.len());
        self.created_by.len() + self.comment.len() + matchers.sum::<usize>() + annotations.sum::<usize>()
    }

    fn record(&self) -> SilenceRecord {
        let triple = |m: &Matcher| (m.name().to_owned(), m.op().as_str().to_owned(), m.value().to_owned());
        SilenceRecord {
            id: self.id.clone(),
            matcher_sets: self.matcher_sets.iter().map(|set| set.iter().map(triple).collect()).collect(),
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            updated_at: self.updated_at,
            created_by: self.created_by.clone(),
            comment: self.comment.clone(),
            annotations: self.annotations.clone(),
        }
    }

    fn restore(record: &SilenceRecord) -> Option<Silence> {
        let matcher = |(name, op, value): &(String, String, String)| Matcher::new(name, operator(op)?, value).ok();
        let set = |set: &Vec<(String, String, String)>| set.iter().map(matcher).collect::<Option<MatcherSet>>();
        Some(Silence {
            id: record.id.clone(),
            matcher_sets: record.matcher_sets.iter().map(set).collect::<Option<Vec<_>>>()?,
            starts_at: record.starts_at,
            ends_at: record.ends_at,
            updated_at: record.updated_at,
            created_by: record.created_by.clone(),
            comment: record.comment.clone(),
            annotations: record.annotations.clone(),
        })
    }
}

/// Whether a silence passes the API's `filter=`: each matcher stands in one of its sets, with the same label, operator and value.
pub fn silence_matches_filter(silence: &Silence, filter: &[Matcher]) -> bool {
    silence.matcher_sets.iter().any(|set| filter.iter().all(|wanted| set.contains(wanted)))
}

/// All silences that are kept.
#[derive(Default)]
pub(crate) struct Silences {
    by_id: BTreeMap<String, Silence>,
    dirty: BTreeSet<String>,
}

impl Silences {
    /// Takes records back in after a restart.
    pub(crate) fn new(saved: &[SilenceRecord]) -> Silences {
        let by_id = saved.iter().filter_map(Silence::restore).map(|s| (s.id.clone(), s)).collect();
        Silences { by_id, dirty: BTreeSet::new() }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Silence> {
        self.by_id.get(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// All of them in the API's order.
    pub(crate) fn sorted(&self, now: TimeMs) -> Vec<&Silence> {
        let mut all: Vec<&Silence> = self.by_id.values().collect();
        all.sort_by_key(|s| {
            let state = s.state(now);
            let time = match state {
                SilenceState::Active => s.ends_at,
                SilenceState::Pending => s.starts_at,
                SilenceState::Expired => -s.ends_at,
            };
            (state, time)
        });
        all
    }

    /// Active ones that match these labels, by id.
    pub(crate) fn silencing(&self, labels: &Labels, now: TimeMs) -> Vec<&Silence> {
        self.by_id.values().filter(|s| s.state(now) == SilenceState::Active && s.matches(labels)).collect()
    }

    /// Makes or changes one. What may be changed in place: the end of an active one; start and end of a pending one; and the
    /// texts of both. Anything else expires it and makes another.
    pub(crate) fn set(
        &mut self,
        mut silence: Silence,
        new_id: &str,
        options: &Options,
        now: TimeMs,
    ) -> Result<String, SilenceError> {
        silence.updated_at = now;
        let old = match silence.id.as_str() {
            "" => None,
            id => Some(self.by_id.get(id).ok_or(SilenceError::NotFound)?.clone()),
        };
        if silence.ends_at <= silence.starts_at {
            return Err(SilenceError::Times("start time must be before end time"));
        }
        if silence.ends_at < now {
            return Err(SilenceError::Times("end time can't be in the past"));
        }
        silence.check()?;
        if options.max_silence_bytes > 0 && silence.size() > options.max_silence_bytes {
            let (size, most) = (silence.size(), options.max_silence_bytes);
            return Err(SilenceError::Limit(format!(
                "silence exceeded maximum size: {size} bytes (limit: {most} bytes)"
            )));
        }
        if let Some(old) = &old {
            if can_update(old, &silence, now) {
                return Ok(self.put(silence));
            }
            if old.state(now) != SilenceState::Expired {
                self.expire(&old.id, now)?;
            }
        }
        if options.max_silences > 0 && self.by_id.len() >= options.max_silences {
            let (count, most) = (self.by_id.len(), options.max_silences);
            return Err(SilenceError::Limit(format!("exceeded maximum number of silences: {count} (limit: {most})")));
        }
        silence.id = new_id.to_owned();
        silence.starts_at = silence.starts_at.max(now);
        Ok(self.put(silence))
    }

    fn put(&mut self, silence: Silence) -> String {
        let id = silence.id.clone();
        self.dirty.insert(id.clone());
        self.by_id.insert(id.clone(), silence);
        id
    }

    /// Ends one now; one that has not begun never does, and one that is over stays so.
    pub(crate) fn expire(&mut self, id: &str, now: TimeMs) -> Result<(), SilenceError> {
        let silence = self.by_id.get_mut(id).ok_or(SilenceError::NotFound)?;
        match silence.state(now) {
            SilenceState::Expired => return Ok(()),
            // The end itself belongs to a silence, and from now on it must not silence any more.
            SilenceState::Active => silence.ends_at = now - 1,
            SilenceState::Pending => (silence.starts_at, silence.ends_at) = (now - 1, now - 1),
        }
        silence.starts_at = silence.starts_at.min(silence.ends_at);
        silence.updated_at = now;
        self.dirty.insert(id.to_owned());
        Ok(())
    }

    /// Forgets those that expired longer ago than the retention.
    pub(crate) fn collect_garbage(&mut self, retention: i64, now: TimeMs) {
        let dirty = &mut self.dirty;
        self.by_id.retain(|id, silence| {
            let keep = silence.ends_at.saturating_add(retention) > now;
            if !keep {
                dirty.insert(id.clone());
            }
            keep
        });
    }

    /// What changed since the last call, as records.
    pub(crate) fn take_changes(&mut self) -> Vec<(String, Option<SilenceRecord>)> {
        let dirty = std::mem::take(&mut self.dirty);
        dirty.into_iter().map(|id| (id.clone(), self.by_id.get(&id).map(Silence::record))).collect()
    }
}

fn can_update(old: &Silence, new: &Silence, now: TimeMs) -> bool {
    old.matcher_sets == new.matcher_sets
        && match old.state(now) {
            // Clients send back whole seconds.
            SilenceState::Active => new.starts_at / 1000 == old.starts_at / 1000 && new.ends_at >= now,
            SilenceState::Pending => new.starts_at >= now,
            SilenceState::Expired => false,
        }
}
