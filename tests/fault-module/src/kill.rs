//! The end of a process that nothing in it can see coming.

#![expect(unsafe_code, reason = "no safe call sends a signal")]

use std::{ffi::c_int, process, thread};

/// `signal.h`.
const SIGKILL: c_int = 9;

unsafe extern "C" {
    fn kill(process: c_int, signal: c_int) -> c_int;
}

/// Ends this process by `SIGKILL`.
pub(crate) fn kill_process() -> ! {
    if let Ok(process) = c_int::try_from(process::id()) {
        // SAFETY: it takes two numbers, and the process is this one.
        unsafe { kill(process, SIGKILL) };
    }
    // Until the signal arrives.
    loop {
        thread::park();
    }
}
