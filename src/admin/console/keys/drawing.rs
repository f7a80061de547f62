//! The life of keys as a drawing: for each key a bar of the times in which it is listed, signs and is in its grace, and for
//! the next one what is planned. Where things stand is said in attributes, because the policy of our pages forbids styles.

use chrono::{DateTime, TimeDelta, Utc};

use super::short;
use crate::admin::console::time;
use crate::admin::keys::document::{KeyDocument, StepDocument};
use crate::model::signing_key::KeyState;

/// How far the drawing reaches at least.
const LEAST: TimeDelta = TimeDelta::hours(1);

/// The past takes at most so many times what is to come.
const MOST_PAST: i32 = 2;

/// Pixels from one key to the next.
const ROW: usize = 44;

/// Pixels above the first.
const TOP: usize = 26;

/// A drawing.
pub(super) struct Drawing {
    pub(super) height: usize,
    /// Where the bars end.
    pub(super) foot: usize,
    /// Where the present is, in percent of the width.
    pub(super) now: f64,
    /// On which side of that its name stands.
    pub(super) anchor: &'static str,
    pub(super) start: String,
    pub(super) end: String,
    pub(super) rows: Vec<Row>,
    /// The same in words.
    pub(super) words: String,
}

/// A key.
pub(super) struct Row {
    pub(super) label: String,
    /// Whether the key is still to be made.
    pub(super) is_planned: bool,
    /// Pixels from above: of the words, and of the bar.
    pub(super) text_y: usize,
    pub(super) bar_y: usize,
    pub(super) bars: Vec<Bar>,
}

/// A part of its life, in percent of the width.
pub(super) struct Bar {
    pub(super) class: &'static str,
    pub(super) x: f64,
    pub(super) width: f64,
}

/// A key and its times, those to come as the automatic life cycle has them.
struct Life {
    label: String,
    is_planned: bool,
    listed: DateTime<Utc>,
    signs: Option<DateTime<Utc>>,
    superseded: Option<DateTime<Utc>>,
    ends: Option<DateTime<Utc>>,
}

impl Drawing {
    /// The keys of one kind, and what is to happen to them.
    pub(super) fn new(keys: &[&KeyDocument], steps: &[&StepDocument], now: DateTime<Utc>) -> Self {
        let lives = lives(keys, steps, now);
        let moments = |life: &Life| [Some(life.listed), life.signs, life.superseded, life.ends];
        let all = || lives.iter().flat_map(moments).flatten().chain([now]);
        let last = all().max().unwrap_or(now).max(now + LEAST);
        let end = last + (last - now) / 8;
        // A little of the past is always to be seen, so that the present is not at the edge.
        let first = all().min().unwrap_or(now).min(now - (end - now) / 12);
        let start = first.max(now - (end - now) * MOST_PAST);
        let at = |time: DateTime<Utc>| percent(time, start, end);
        let rows: Vec<Row> = lives.iter().enumerate().map(|(index, life)| Row::new(index, life, end, &at)).collect();
        let foot = TOP + rows.len() * ROW;
        let place = at(now);
        Self {
            height: foot + 22,
            foot,
            now: place,
            anchor: if place < 15.0 {
                "start"
            } else if place > 85.0 {
                "end"
            } else {
                "middle"
            },
            start: time::day(start),
            end: time::day(end),
            rows,
            words: lives.iter().map(Life::words).collect::<Vec<_>>().join(" "),
        }
    }
}

fn lives(keys: &[&KeyDocument], steps: &[&StepDocument], now: DateTime<Utc>) -> Vec<Life> {
    let find = |action: &str, kid: Option<&str>| {
        steps
            .iter()
            .find(|step| step.action == action && (kid.is_none() || step.kid.as_deref() == kid))
            .map(|step| step.at.max(now))
    };
    let change_over = find("activate", None);
    let mut lives = Vec::new();
    for key in keys.iter().filter(|key| key.state != KeyState::Retired) {
        let kid = Some(key.kid.as_str());
        let is_active = key.state == KeyState::Active;
        lives.push(Life {
            label: format!("{} {}", short(&key.kid), state_word(key.state)),
            is_planned: false,
            listed: key.published_at,
            signs: key.activated_at.or_else(|| find("activate", kid)),
            superseded: key.superseded_at.or(change_over.filter(|_| is_active)),
            ends: key.retire_at.or_else(|| find("retire", kid)),
        });
    }
    if let Some(listed) = find("publish", None) {
        let label = "next key, planned".to_owned();
        lives.push(Life { label, is_planned: true, listed, signs: change_over, superseded: None, ends: None });
    }
    lives.sort_by_key(|life| life.listed);
    lives
}

fn state_word(state: KeyState) -> &'static str {
    match state {
        KeyState::Prepublished => "is listed",
        KeyState::Active => "signs",
        KeyState::Grace => "is in its grace",
        KeyState::Retired => "is retired",
    }
}

impl Life {
    fn words(&self) -> String {
        let moments = [
            ("listed", Some(self.listed)),
            ("signs from", self.signs),
            ("superseded", self.superseded),
            ("retired", self.ends),
        ];
        let words = moments.into_iter().filter_map(|(what, at)| at.map(|at| format!("{what} {}", time::day(at))));
        let words = words.collect::<Vec<_>>().join(", ");
        format!("{}: {words}.", self.label)
    }
}

impl Row {
    fn new(index: usize, life: &Life, end: DateTime<Utc>, at: &impl Fn(DateTime<Utc>) -> f64) -> Self {
        let over = life.ends.unwrap_or(end);
        let signs = life.signs.unwrap_or(over);
        let superseded = life.superseded.unwrap_or(if life.signs.is_some() { over } else { signs });
        let parts = [("listed", life.listed, signs), ("signing", signs, superseded), ("grace", superseded, over)];
        let bar = |(class, from, to): (&'static str, DateTime<Utc>, DateTime<Utc>)| {
            // A short time is still to be seen.
            (to > from && at(to) > 0.0).then(|| Bar { class, x: at(from), width: (at(to) - at(from)).max(0.6) })
        };
        let y = TOP + index * ROW;
        Self {
            label: life.label.clone(),
            is_planned: life.is_planned,
            text_y: y + 14,
            bar_y: y + 20,
            bars: parts.into_iter().filter_map(bar).collect(),
        }
    }
}

fn percent(time: DateTime<Utc>, start: DateTime<Utc>, end: DateTime<Utc>) -> f64 {
    let minutes = |span: TimeDelta| f64::from(i32::try_from(span.num_minutes()).unwrap_or(i32::MAX));
    let share = minutes(time - start) / minutes(end - start).max(1.0);
    (share * 1000.0).round().clamp(0.0, 1000.0) / 10.0
}
