//! A PKCS#11 module for tests: it forwards every call to a real module, and fails as a control file tells it.
//!
//! The README beside this crate describes settings and control file. Inside, one call goes this way:
//!
//! 1. [`functions`]: the caller enters by the function list; each function is one line of a macro.
//! 2. [`intercept`]: the call is counted ([`counters`]), and the rules ([`rules`]) of the control file ([`control`])
//!    that fire on it have their effect.
//! 3. The handles that the caller knows become those of the real module ([`handles`]), which is called ([`real`]).
//! 4. [`outcome`]: handles in the answer become the caller's, and output is bent where a rule says so.
//!
//! Nothing here panics on what a caller or a file says; a panic all the same would end the process at the border to C.

mod control;
mod counters;
mod functions;
mod handles;
mod intercept;
mod kill;
mod outcome;
mod real;
mod return_values;
mod rules;
mod settings;
