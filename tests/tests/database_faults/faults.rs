//! The classes of faults of a database, and of the way to it.

use std::time::Duration;

use kunji_tests::proxy::{Direction, Ending};

use crate::world::World;

/// The class that has a database server of its own.
pub(crate) const KILLED: &str = "killed_and_started_again";

/// One class: how it begins and ends.
pub(crate) struct Class {
    pub(crate) name: &'static str,
    pub(crate) begin: fn(&World),
    pub(crate) end: fn(&World),
    /// What is noticed of it.
    pub(crate) notice: Notice,
}

/// What callers and the link notice of a fault.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Nothing but slowness.
    Nothing,
    /// Calls under way may be lost; there is nothing to wait for.
    Loss,
    /// The database is away until the fault ends.
    Absence,
}

fn nothing(_: &World) {}

fn resume(world: &World) {
    world.proxy.resume();
}

pub(crate) const ALL: [Class; 12] = [
    Class {
        name: "cut_in_good_order",
        begin: |world| world.proxy.cut(Ending::Orderly),
        end: nothing,
        notice: Notice::Loss,
    },
    Class {
        name: "reset",
        begin: |world| world.proxy.cut(Ending::Reset),
        end: nothing,
        notice: Notice::Loss,
    },
    Class {
        name: "half_closed_towards_the_database",
        begin: |world| world.proxy.half_close(Direction::ToTarget),
        end: nothing,
        notice: Notice::Loss,
    },
    Class {
        name: "half_closed_by_the_database",
        begin: |world| world.proxy.half_close(Direction::FromTarget),
        end: nothing,
        notice: Notice::Loss,
    },
    Class {
        name: "delayed",
        begin: |world| world.proxy.delay(Duration::from_millis(100)),
        end: resume,
        notice: Notice::Nothing,
    },
    Class {
        name: "delayed_beyond_use",
        begin: |world| world.proxy.delay(Duration::from_secs(4)),
        end: resume,
        notice: Notice::Absence,
    },
    Class { name: "stalled", begin: |world| world.proxy.stall(), end: resume, notice: Notice::Absence },
    Class {
        name: "questions_stalled",
        begin: |world| world.proxy.stall_only(Direction::ToTarget),
        end: resume,
        notice: Notice::Absence,
    },
    Class {
        name: "answers_stalled",
        begin: |world| world.proxy.stall_only(Direction::FromTarget),
        end: resume,
        notice: Notice::Absence,
    },
    Class {
        name: "reset_and_refused",
        begin: |world| {
            world.proxy.refuse();
            world.proxy.cut(Ending::Reset);
        },
        end: resume,
        notice: Notice::Absence,
    },
    Class {
        name: "cut_and_silent",
        begin: |world| {
            world.proxy.stall();
            world.proxy.cut(Ending::Orderly);
        },
        end: resume,
        notice: Notice::Absence,
    },
    Class {
        name: KILLED,
        begin: |world| world.server.kill().unwrap(),
        end: |world| world.server.restart().unwrap(),
        notice: Notice::Absence,
    },
];

pub(crate) fn by_name(name: &str) -> &'static Class {
    ALL.iter().find(|class| class.name == name).unwrap()
}
