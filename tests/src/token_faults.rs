//! The classes of faults of a token, and what a module has to do for each.

use std::time::Duration;

use crate::fault_module::{Fault, Rule};
use cryptoki_sys::{
    CKR_CRYPTOKI_NOT_INITIALIZED, CKR_DEVICE_REMOVED, CKR_FUNCTION_FAILED, CKR_GENERAL_ERROR,
    CKR_HOST_MEMORY, CKR_SESSION_HANDLE_INVALID, CKR_VENDOR_DEFINED,
};

/// Faults of one kind.
#[derive(Debug)]
pub struct Class {
    /// What happens, as a name of a test.
    pub name: &'static str,
    /// What makes it happen.
    pub rules: fn() -> Vec<Rule>,
    /// Whether an operation that may be repeated succeeds in spite of it.
    pub unnoticed: bool,
}

/// What does the work on keys.
const WORK: [&str; 9] = [
    "C_Sign",
    "C_Encrypt",
    "C_Decrypt",
    "C_SignInit",
    "C_EncryptInit",
    "C_DecryptInit",
    "C_FindObjectsInit",
    "C_FindObjects",
    "C_GetAttributeValue",
];

fn on_work(rule: impl Fn(&str) -> Rule) -> Vec<Rule> {
    WORK.map(rule).to_vec()
}

/// The token is not there at all.
pub fn nowhere() -> Vec<Rule> {
    vec![Rule::always("*", Fault::NoToken)]
}

/// The class of this name.
pub fn by_name(name: &str) -> &'static Class {
    ALL.iter().find(|class| class.name == name).unwrap()
}

const fn noticed(name: &'static str, rules: fn() -> Vec<Rule>) -> Class {
    Class { name, rules, unnoticed: false }
}

const fn unnoticed(name: &'static str, rules: fn() -> Vec<Rule>) -> Class {
    Class { name, rules, unnoticed: true }
}

/// Every class.
pub static ALL: [Class; 23] = [
    noticed("the_device_is_removed", || vec![Rule::always("*", Fault::Return(CKR_DEVICE_REMOVED))]),
    noticed("general_error", || on_work(|function| Rule::always(function, Fault::Return(CKR_GENERAL_ERROR)))),
    noticed("function_failed", || {
        on_work(|function| Rule::always(function, Fault::Return(CKR_FUNCTION_FAILED)))
    }),
    noticed("out_of_memory", || vec![Rule::always("*", Fault::Return(CKR_HOST_MEMORY))]),
    noticed("unknown_vendor_error", || {
        on_work(|function| Rule::always(function, Fault::Return(CKR_VENDOR_DEFINED + 99)))
    }),
    unnoticed("session_lost_once", || {
        vec![Rule::first(1, "C_FindObjectsInit", Fault::Return(CKR_SESSION_HANDLE_INVALID))]
    }),
    unnoticed("session_handles_are_forgotten", || vec![Rule::first(1, "*", Fault::ForgetSessions)]),
    unnoticed("all_sessions_are_closed", || vec![Rule::first(1, "*", Fault::DropSessions)]),
    unnoticed("logged_out", || vec![Rule::first(1, "*", Fault::LogOut)]),
    unnoticed("object_handles_are_forgotten", || vec![Rule::first(1, "*", Fault::ForgetObjects)]),
    unnoticed("objects_are_lost_until_the_library_is_initialised", || {
        vec![Rule::first(1, "*", Fault::LoseObjects)]
    }),
    noticed("no_object_is_found", || {
        vec![Rule::always("*", Fault::NoObjects), Rule::first(1, "*", Fault::ForgetObjects)]
    }),
    noticed("the_token_is_pulled", nowhere),
    unnoticed("slots_are_renumbered", || vec![Rule::first(1, "*", Fault::RenumberSlots)]),
    noticed("no_session_is_left", || {
        vec![Rule::always("C_OpenSession", Fault::LimitSessions(0)), Rule::first(1, "*", Fault::DropSessions)]
    }),
    noticed("the_library_crashes", || vec![Rule::nth(1, "*", Fault::Crash)]),
    unnoticed("the_library_is_finalised", || {
        vec![Rule::first(1, "*", Fault::Return(CKR_CRYPTOKI_NOT_INITIALIZED))]
    }),
    unnoticed("a_call_is_slow", || vec![Rule::first(1, "*", Fault::Delay(Duration::from_millis(300)))]),
    noticed("every_call_hangs", || vec![Rule::always("*", Fault::Hang)]),
    noticed("one_call_hangs_for_ever", || vec![Rule::nth(1, "*", Fault::HangForever)]),
    noticed("output_is_corrupt", || on_work(|function| Rule::always(function, Fault::Corrupt))),
    noticed("output_is_short", || on_work(|function| Rule::always(function, Fault::Shorten))),
    noticed("output_is_empty", || on_work(|function| Rule::always(function, Fault::Empty))),
];
