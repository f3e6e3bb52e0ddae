//! Role changes, put together of the steps that everybody stamped.

use crate::roles::{Change, Step};
use crate::units::RunTime;

/// A step of a change, as somebody stamped it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// When.
    pub at: RunTime,
    /// Who stamped it: a participant, a relay, or the moderator.
    pub node: String,
    /// The relay's number for the change; `None` for joining and leaving, and before the relay has answered.
    pub number: Option<u32>,
    /// What changes.
    pub change: Change,
    /// For whom.
    pub subject: String,
    /// How far it has got.
    pub step: Step,
    /// What the step's documentation says; else empty.
    pub detail: String,
}

/// A change of somebody's role, from the command to its last step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleChange {
    /// The relay's number for it, if it has one.
    pub number: Option<u32>,
    /// What changes.
    pub change: Change,
    /// For whom.
    pub subject: String,
    /// When it was asked for: the first stamp of all.
    pub commanded: RunTime,
    /// Its steps, in order of time.
    pub taken: Vec<Taken>,
}

impl RoleChange {
    /// When `node` stamped a step first.
    pub fn at(&self, step: Step, node: &str) -> Option<RunTime> {
        self.taken.iter().find(|taken| taken.step == step && taken.node == node).map(|taken| taken.at)
    }

    /// Why it came to nothing, if it did.
    pub fn failed(&self) -> Option<&str> {
        self.taken.iter().find(|taken| taken.step == Step::Failed).map(|taken| taken.detail.as_str())
    }

    /// Its last stamp.
    pub fn ended(&self) -> RunTime {
        self.taken.last().map_or(self.commanded, |taken| taken.at)
    }
}

/// Puts steps together into changes, in order of their commands.
pub fn role_changes(steps: &[Taken]) -> Vec<RoleChange> {
    let mut steps: Vec<&Taken> = steps.iter().collect();
    // Where nothing lies between two nodes, their stamps are alike: an order comes before what it brings about.
    steps.sort_by_key(|taken| (taken.at, taken.step));
    let mut changes: Vec<RoleChange> = Vec::new();
    for taken in steps {
        let same = |change: &&RoleChange| change.change == taken.change && change.subject == taken.subject;
        let find = |wanted: &dyn Fn(&RoleChange) -> bool| changes.iter().rposition(|c| same(&c) && wanted(c));
        let index = match taken.number {
            // What was asked for without a number is what the relay gives the next number to.
            Some(_) => {
                find(&|change| change.number == taken.number).or_else(|| find(&|change| change.number.is_none()))
            }
            None if taken.step == Step::Asked => None,
            None => find(&|_| true),
        };
        match index.map(|index| &mut changes[index]) {
            Some(change) => {
                change.number = change.number.or(taken.number);
                change.taken.push(taken.clone());
            }
            None => changes.push(RoleChange {
                number: taken.number,
                change: taken.change,
                subject: taken.subject.clone(),
                commanded: taken.at,
                taken: vec![taken.clone()],
            }),
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(ms: i64, node: &str, number: Option<u32>, change: Change, step: Step) -> Taken {
        let (node, subject, detail) = (node.to_owned(), "lena".to_owned(), String::new());
        Taken { at: RunTime(ms * 1_000_000), node, number, change, subject, step, detail }
    }

    #[test]
    fn a_command_belongs_to_the_change_that_the_relay_makes_of_it() {
        let steps = [
            taken(30, "lena", Some(1), Change::Promote, Step::Granted),
            taken(0, "moderator", None, Change::Promote, Step::Asked),
            taken(15, "relay", Some(1), Change::Promote, Step::Commanded),
            taken(900, "moderator", None, Change::Promote, Step::Asked),
            taken(915, "relay", Some(2), Change::Promote, Step::Commanded),
            taken(400, "relay", Some(1), Change::Promote, Step::Done),
        ];
        let changes = role_changes(&steps);
        assert_eq!(changes.iter().map(|change| change.number).collect::<Vec<_>>(), [Some(1), Some(2)]);
        assert_eq!(changes[0].commanded, RunTime::START);
        assert_eq!(changes[0].ended(), RunTime(400_000_000));
        assert_eq!(changes[0].at(Step::Granted, "lena"), Some(RunTime(30_000_000)));
        assert_eq!(changes[1].taken.len(), 2);
    }

    #[test]
    fn a_command_and_its_grant_at_one_instant_are_one_change_whoever_is_listed_first() {
        let steps = [
            taken(0, "relay", Some(1), Change::Promote, Step::Granted),
            taken(0, "relay", Some(1), Change::Promote, Step::Commanded),
            taken(0, "moderator", None, Change::Promote, Step::Asked),
            taken(50, "moderator", None, Change::Promote, Step::Asked),
            taken(60, "lena", Some(1), Change::Promote, Step::TransportReady),
            taken(60, "relay", Some(2), Change::Promote, Step::Commanded),
        ];
        let changes = role_changes(&steps);
        let of = |change: &RoleChange| (change.number, change.taken.len(), change.taken[0].step);
        let found: Vec<_> = changes.iter().map(of).collect();
        assert_eq!(found, [(Some(1), 4, Step::Asked), (Some(2), 2, Step::Asked)]);
    }

    #[test]
    fn whoever_comes_again_joins_twice() {
        let steps = [
            taken(0, "lena", None, Change::Join, Step::Asked),
            taken(30, "lena", None, Change::Join, Step::Granted),
            taken(500, "lena", None, Change::Leave, Step::Asked),
            taken(800, "lena", None, Change::Join, Step::Asked),
            taken(830, "lena", None, Change::Join, Step::Granted),
        ];
        let changes = role_changes(&steps);
        let of = |change: &RoleChange| (change.change, change.taken.len());
        assert_eq!(
            changes.iter().map(of).collect::<Vec<_>>(),
            [(Change::Join, 2), (Change::Leave, 1), (Change::Join, 2)]
        );
    }
}
