//! What happens to a call between the caller and the real module.

#![expect(unsafe_code, reason = "the caller's pointers are handed on, which is for the caller to vouch for")]

use std::{
    io::{self, Write as _},
    ops::ControlFlow,
    process,
    sync::OnceLock,
    thread,
    time::Duration,
};

use cryptoki_sys::{
    CK_RV, CKR_DEVICE_REMOVED, CKR_GENERAL_ERROR, CKR_OK, CKR_SESSION_COUNT, CKR_TOKEN_NOT_PRESENT,
    CKR_VENDOR_DEFINED,
};

use crate::{
    control::Control,
    counters::Counters,
    functions::Function,
    handles::Handles,
    kill::kill_process,
    outcome::Outcome,
    real::Real,
    rules::{Fault, Rule},
    settings::Settings,
};

/// What every call gives while the control file is wrong, so that the mistake is not taken for a test that passes.
const CONTROL_FILE_WRONG: CK_RV = CKR_VENDOR_DEFINED | 0x0BAD;
/// How soon a hanging call sees that its rule has gone.
const GLANCE: Duration = Duration::from_millis(2);

/// This module: the real one and all that stands between it and the caller.
pub(crate) struct Module {
    pub(crate) real: Real,
    pub(crate) handles: Handles,
    pub(crate) counters: Counters,
    control: Control,
}

/// How the answer of the real module is to be changed.
#[derive(Debug, Default)]
pub(crate) struct Bends {
    pub(crate) output: Option<OutputBend>,
    pub(crate) no_token: bool,
    pub(crate) no_objects: bool,
    /// Whether the process ends before its caller sees the answer.
    pub(crate) kill: bool,
}

/// What becomes of bytes in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputBend {
    Corrupt,
    Shorten,
    Empty,
}

/// Takes one call through rules, the real module (`forward`) and the second look at its answer (`outcome`).
///
/// # Safety
/// The pointers in `outcome` are those of the call, and as the standard demands of its caller.
pub(crate) unsafe fn intercept<O: Outcome>(
    function: Function,
    outcome: O,
    forward: impl FnOnce(&Module) -> Result<CK_RV, CK_RV>,
) -> CK_RV {
    let module = match Module::loaded() {
        Ok(module) => module,
        Err(code) => return code,
    };
    module.counters.count(function);
    let Some(script) = module.control.script() else {
        return CONTROL_FILE_WRONG;
    };
    let mut bends = Bends::default();
    for rule in script.rules() {
        if let Some(fault) = rule.fires(function, outcome.has_output())
            && let ControlFlow::Break(code) = module.suffer(fault, rule, function, &mut bends)
        {
            return code;
        }
    }
    let returned = forward(module).unwrap_or_else(|code| code);
    if bends.kill {
        kill_process();
    }
    if returned == CKR_OK {
        // SAFETY: the caller has vouched for the pointers.
        unsafe { outcome.settle(module, &bends) };
    }
    returned
}

impl Module {
    /// The module, loaded by the first call.
    ///
    /// # Errors
    /// `CKR_GENERAL_ERROR` when settings or the real module are not as they must be; the reason is on standard error.
    pub(crate) fn loaded() -> Result<&'static Self, CK_RV> {
        static MODULE: OnceLock<Option<Module>> = OnceLock::new();
        let module = MODULE.get_or_init(|| Self::load().map_err(|fault| complain(&fault)).ok());
        module.as_ref().ok_or(CKR_GENERAL_ERROR)
    }

    fn load() -> Result<Self, String> {
        let settings = Settings::read()?;
        let counters = match &settings.counters {
            None => Counters::none(),
            Some(directory) => Counters::in_directory(directory)
                .map_err(|error| format!("{}: {error}", directory.display()))?,
        };
        Ok(Self {
            real: Real::load(&settings.real)?,
            handles: Handles::default(),
            counters,
            control: Control::new(settings.control),
        })
    }

    /// Lets a fault have its effect; `Break` holds the answer of a call that ends here.
    fn suffer(
        &self,
        fault: &Fault,
        rule: &Rule,
        function: Function,
        bends: &mut Bends,
    ) -> ControlFlow<CK_RV> {
        match fault {
            Fault::Return(code) => return ControlFlow::Break(*code),
            Fault::Delay(time) => pause(*time),
            Fault::Hang => self.hang(rule),
            Fault::HangForever => loop {
                thread::park();
            },
            Fault::Crash => process::abort(),
            Fault::Kill => kill_process(),
            Fault::KillAfter => bends.kill = true,
            Fault::DropSessions => self.drop_sessions(),
            Fault::ForgetSessions => drop(self.handles.forget_sessions(&self.counters)),
            Fault::ForgetObjects => self.handles.forget_objects(),
            Fault::LoseObjects => self.handles.lose_objects(),
            Fault::LogOut => self.log_out(),
            Fault::RenumberSlots => self.handles.renumber_slots(),
            Fault::NoToken => return self.miss_token(function, bends),
            Fault::NoObjects => bends.no_objects = true,
            Fault::LimitSessions(most) => {
                if function == Function::C_OpenSession && self.handles.open_sessions() >= *most {
                    return ControlFlow::Break(CKR_SESSION_COUNT);
                }
            }
            Fault::Corrupt => bends.output = Some(OutputBend::Corrupt),
            Fault::Shorten => bends.output = Some(OutputBend::Shorten),
            Fault::Empty => bends.output = Some(OutputBend::Empty),
        }
        ControlFlow::Continue(())
    }

    fn hang(&self, rule: &Rule) {
        // A file that cannot be read has not lost the rule.
        while self.control.script().is_none_or(|script| script.has(&rule.words)) {
            pause(GLANCE);
        }
    }

    fn drop_sessions(&self) {
        for slot in self.handles.forget_sessions(&self.counters).into_keys() {
            self.real.close_all_sessions(slot);
        }
    }

    fn log_out(&self) {
        for session in self.handles.session_by_slot().into_values() {
            self.real.log_out(session);
        }
    }

    /// Pulling a token closes its sessions.
    fn miss_token(&self, function: Function, bends: &mut Bends) -> ControlFlow<CK_RV> {
        self.drop_sessions();
        bends.no_token = true;
        if function.takes().contains(&"session") {
            ControlFlow::Break(CKR_DEVICE_REMOVED)
        } else if function.takes().contains(&"slot") && function != Function::C_GetSlotInfo {
            ControlFlow::Break(CKR_TOKEN_NOT_PRESENT)
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// Says on standard error what is wrong with the settings of a test.
pub(crate) fn complain(fault: &str) {
    // Nobody is left to tell when even this fails.
    let _ = writeln!(io::stderr(), "kunji-fault-module: {fault}");
}

#[expect(clippy::disallowed_methods, reason = "holding up the caller is what is asked for")]
fn pause(time: Duration) {
    thread::sleep(time);
}
