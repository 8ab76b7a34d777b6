//! The fault-injecting PKCS#11 module in front of SoftHSM: each fault happens, and ends.
#![cfg(test)]

use std::{
    os::unix::process::ExitStatusExt as _,
    process::{Command, Output},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    mechanism::Mechanism,
    object::{Attribute, AttributeType, ObjectHandle},
    session::{Session, SessionState, UserType},
    slot::Slot,
    types::AuthPin,
};
use cryptoki_sys::{CKR_DEVICE_ERROR, CKR_PIN_INCORRECT, CKR_VENDOR_DEFINED};
use kunji_tests::{
    fault_module::{Fault, FaultModule, Rule},
    softhsm::{PIN, Token},
};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);
const BLOCK: &[u8] = b"sixteen bytes...";

/// All tests share SoftHSM, which is there once a process, and take turns.
struct Shared {
    token: Token,
    faults: FaultModule,
}

static SHARED: LazyLock<Mutex<Shared>> = LazyLock::new(|| {
    let token = Token::create("faults");
    Mutex::new(Shared { token, faults: FaultModule::new() })
});

/// The module, initialised, without faults.
struct Bench {
    shared: MutexGuard<'static, Shared>,
    library: Pkcs11,
    slot: Slot,
}

impl Bench {
    fn new() -> Self {
        let shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.faults.clear();
        let library = Pkcs11::new(shared.faults.path()).unwrap();
        initialize(&library);
        let slot = slot_of(&library, &shared.token.label);
        Self { shared, library, slot }
    }

    fn faults(&self) -> &FaultModule {
        &self.shared.faults
    }

    fn set(&self, rule: Rule) {
        self.faults().set([rule]);
    }

    fn calls(&self, function: &str) -> u64 {
        self.faults().counters().calls(function)
    }

    fn session(&self) -> Session {
        self.library.open_rw_session(self.slot).unwrap()
    }

    fn logged_in(&self) -> Session {
        let session = self.session();
        log_in(&session).unwrap();
        session
    }

    fn is_logged_in(&self) -> bool {
        self.session().get_session_info().unwrap().session_state() == SessionState::RwUser
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.faults().clear();
        // A test that has failed leaves whatever it leaves.
        let _ = self.library.clone().finalize();
    }
}

fn initialize(library: &Pkcs11) {
    library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
}

fn slot_of(library: &Pkcs11, label: &str) -> Slot {
    let slots = library.get_slots_with_token().unwrap();
    slots.into_iter().find(|slot| library.get_token_info(*slot).unwrap().label() == label).unwrap()
}

fn log_in(session: &Session) -> Result<(), Error> {
    session.login(UserType::User, Some(&AuthPin::new(PIN.into())))
}

fn aes_key(session: &Session) -> ObjectHandle {
    let template =
        [Attribute::ValueLen(32.into()), Attribute::Label(b"aes".to_vec()), Attribute::Encrypt(true)];
    session.generate_key(&Mechanism::AesKeyGen, &template).unwrap()
}

fn find(session: &Session) -> Vec<ObjectHandle> {
    session.find_objects(&[Attribute::Label(b"aes".to_vec())]).unwrap()
}

fn encrypt(session: &Session, key: ObjectHandle) -> Vec<u8> {
    session.encrypt(&Mechanism::AesEcb, key, BLOCK).unwrap()
}

/// What a call has returned other than `CKR_OK`.
fn refusal<T>(outcome: Result<T, Error>) -> RvError {
    match outcome {
        Err(Error::Pkcs11(code, _)) => code,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it went well"),
    }
}

fn random(session: &Session) -> Result<Vec<u8>, Error> {
    session.generate_random_vec(16)
}

/// Which of the next `calls` calls fail, counted from 1.
fn failures(session: &Session, calls: usize) -> Vec<usize> {
    (1..=calls).filter(|_| random(session).is_err()).collect()
}

#[test]
fn without_rules_every_call_passes_and_is_counted() {
    let bench = Bench::new();
    let before = bench.faults().counters();
    let (session, key) = {
        let session = bench.logged_in();
        let key = aes_key(&session);
        (session, key)
    };
    assert_eq!(find(&session), [key]);
    let encrypted = encrypt(&session, key);
    assert_eq!(session.decrypt(&Mechanism::AesEcb, key, &encrypted).unwrap(), BLOCK);
    assert_eq!(session.get_session_info().unwrap().slot_id(), bench.slot);
    let now = bench.faults().counters();
    for (function, calls) in [("C_Login", 1), ("C_GenerateKey", 1), ("C_EncryptInit", 1), ("C_Sign", 0)] {
        assert_eq!(now.calls(function) - before.calls(function), calls, "{function}");
    }
    assert_eq!(now.sessions, before.sessions + 1);
    session.close().unwrap();
    assert_eq!(bench.faults().counters().sessions, before.sessions);
}

#[test]
fn a_rule_fires_when_it_says() {
    let bench = Bench::new();
    let session = bench.session();
    let broken = Fault::Return(CKR_DEVICE_ERROR);
    bench.set(Rule::nth(3, "C_GenerateRandom", broken));
    assert_eq!(failures(&session, 5), [3]);
    bench.set(Rule::first(2, "C_GenerateRandom", broken));
    assert_eq!(failures(&session, 4), [1, 2]);
    bench.set(Rule::every(2, "C_Generate*", broken));
    assert_eq!(failures(&session, 5), [2, 4]);
    bench.set(Rule::always("*", broken));
    assert_eq!(failures(&session, 2), [1, 2]);
    assert_eq!(refusal(bench.library.get_library_info()), RvError::DeviceError);
    bench.set(Rule::always("C_Sign", broken));
    assert!(failures(&session, 2).is_empty());
    bench.faults().clear();
    assert!(failures(&session, 2).is_empty());
}

#[test]
fn setting_the_same_rules_again_begins_anew() {
    let bench = Bench::new();
    let session = bench.session();
    for _ in 0..50 {
        bench.set(Rule::nth(1, "C_GenerateRandom", Fault::Return(CKR_DEVICE_ERROR)));
        assert_eq!(failures(&session, 2), [1]);
    }
}

#[test]
fn any_value_is_returned_and_the_real_module_does_not_see_the_call() {
    let bench = Bench::new();
    let session = bench.session();
    bench.set(Rule::first(1, "C_Login", Fault::Return(CKR_PIN_INCORRECT)));
    assert_eq!(refusal(log_in(&session)), RvError::PinIncorrect);
    assert!(!bench.is_logged_in());
    bench.set(Rule::always("C_Login", Fault::Return(CKR_VENDOR_DEFINED | 7)));
    assert_eq!(refusal(log_in(&session)), RvError::VendorDefined(CKR_VENDOR_DEFINED | 7));
    assert!(!bench.is_logged_in());
    bench.faults().clear();
    log_in(&session).unwrap();
}

#[test]
fn a_rule_that_is_not_understood_fails_every_call() {
    let bench = Bench::new();
    let session = bench.session();
    bench.set(Rule::always("C_Sing", Fault::Crash));
    assert_eq!(refusal(random(&session)), RvError::VendorDefined(0x8000_0BAD));
    bench.faults().clear();
    random(&session).unwrap();
}

#[test]
fn a_delayed_call_takes_as_long() {
    let bench = Bench::new();
    let session = bench.session();
    let time = Duration::from_millis(50);
    bench.set(Rule::always("C_GenerateRandom", Fault::Delay(time)));
    let start = Instant::now();
    random(&session).unwrap();
    assert!(start.elapsed() >= time);
}

/// Starts a call in a thread of its own, and returns when it is on its way.
fn call_elsewhere(bench: &Bench) -> mpsc::Receiver<Result<Vec<u8>, Error>> {
    let before = bench.calls("C_GenerateRandom");
    let session = bench.session();
    let (done, finished) = mpsc::channel();
    thread::spawn(move || done.send(random(&session)));
    let deadline = Instant::now() + PATIENCE;
    while bench.calls("C_GenerateRandom") == before {
        assert!(Instant::now() < deadline, "the call does not begin");
        thread::yield_now();
    }
    finished
}

#[test]
fn a_hanging_call_holds_up_no_other_and_goes_on_without_its_rule() {
    let bench = Bench::new();
    bench.set(Rule::always("C_GenerateRandom", Fault::Hang));
    let (one, other) = (call_elsewhere(&bench), call_elsewhere(&bench));
    bench.session().get_session_info().unwrap();
    // Another rule beside it changes nothing.
    bench.faults().set([
        Rule::always("C_GenerateRandom", Fault::Hang),
        Rule::always("C_Login", Fault::Return(CKR_DEVICE_ERROR)),
    ]);
    assert_eq!(refusal(log_in(&bench.session())), RvError::DeviceError);
    assert!(one.try_recv().is_err() && other.try_recv().is_err());
    bench.faults().clear();
    for finished in [one, other] {
        assert_eq!(finished.recv_timeout(PATIENCE).unwrap().unwrap().len(), 16);
    }
}

#[test]
fn a_call_that_hangs_forever_stays_away_without_its_rule() {
    let bench = Bench::new();
    bench.set(Rule::nth(1, "C_GenerateRandom", Fault::HangForever));
    let lost = call_elsewhere(&bench);
    bench.faults().clear();
    let next = call_elsewhere(&bench);
    next.recv_timeout(PATIENCE).unwrap().unwrap();
    assert!(matches!(lost.try_recv(), Err(mpsc::TryRecvError::Empty)));
}

#[test]
fn a_crash_ends_the_process_and_leaves_its_counters() {
    let bench = Bench::new();
    for (fault, signal) in [(Fault::Crash, 6), (Fault::Kill, 9), (Fault::KillAfter, 9)] {
        let before = bench.faults().counters();
        bench.set(Rule::nth(1, "C_GetTokenInfo", fault));
        let crashed = show_slots(&bench);
        assert_eq!(crashed.status.signal(), Some(signal), "{crashed:?}");
        let after = bench.faults().counters();
        assert_eq!(after.processes, before.processes + 1);
        assert_eq!(after.calls("C_GetTokenInfo"), before.calls("C_GetTokenInfo") + 1);
    }
    bench.faults().clear();
    let shown = show_slots(&bench);
    assert!(shown.status.success(), "{shown:?}");
    assert!(String::from_utf8_lossy(&shown.stdout).contains(&bench.shared.token.label));
}

/// Another process that loads the module.
fn show_slots(bench: &Bench) -> Output {
    let module = bench.faults().path();
    Command::new("softhsm2-util").arg("--show-slots").arg("--module").arg(module).output().unwrap()
}

#[test]
fn dropped_sessions_are_closed_and_log_out() {
    let bench = Bench::new();
    let (session, other) = (bench.logged_in(), bench.session());
    bench.set(Rule::nth(1, "C_GenerateRandom", Fault::DropSessions));
    assert_eq!(refusal(random(&session)), RvError::SessionHandleInvalid);
    assert_eq!(refusal(random(&other)), RvError::SessionHandleInvalid);
    assert_eq!(bench.faults().counters().sessions, 0);
    assert!(!bench.is_logged_in());
    random(&bench.logged_in()).unwrap();
}

#[test]
fn logging_out_leaves_the_sessions() {
    let bench = Bench::new();
    let session = bench.logged_in();
    let sessions = bench.faults().counters().sessions;
    bench.set(Rule::nth(1, "C_GetSessionInfo", Fault::LogOut));
    assert_eq!(session.get_session_info().unwrap().session_state(), SessionState::RwPublic);
    assert_eq!(bench.faults().counters().sessions, sessions);
    log_in(&session).unwrap();
    assert!(bench.is_logged_in());
}

#[test]
fn forgotten_sessions_are_invalid_and_nobody_is_logged_out() {
    let bench = Bench::new();
    let session = bench.logged_in();
    bench.set(Rule::nth(1, "C_GenerateRandom", Fault::ForgetSessions));
    assert_eq!(refusal(random(&session)), RvError::SessionHandleInvalid);
    assert_eq!(refusal(random(&session)), RvError::SessionHandleInvalid);
    assert_eq!(bench.faults().counters().sessions, 0);
    let next = bench.session();
    assert_ne!(next.handle(), session.handle());
    assert_eq!(refusal(log_in(&next)), RvError::UserAlreadyLoggedIn);
    random(&next).unwrap();
}

#[test]
fn forgotten_objects_are_invalid_and_can_be_found() {
    let bench = Bench::new();
    let session = bench.logged_in();
    let key = aes_key(&session);
    for _ in 0..3 {
        let [known] = find(&session)[..] else { panic!("one key") };
        bench.set(Rule::nth(1, "C_GenerateRandom", Fault::ForgetObjects));
        random(&session).unwrap();
        for old in [key, known] {
            let outcome = session.encrypt(&Mechanism::AesEcb, old, BLOCK);
            assert_eq!(refusal(outcome), RvError::KeyHandleInvalid);
            let attributes = session.get_attributes(old, &[AttributeType::Class]);
            assert_eq!(refusal(attributes), RvError::ObjectHandleInvalid);
        }
    }
    let [found] = find(&session)[..] else { panic!("one key") };
    encrypt(&session, found);
    encrypt(&session, aes_key(&session));
}

#[test]
fn lost_objects_come_back_with_the_next_start_of_the_library() {
    let bench = Bench::new();
    let session = bench.logged_in();
    let key = aes_key(&session);
    bench.set(Rule::nth(1, "C_GetSessionInfo", Fault::LoseObjects));
    session.get_session_info().unwrap();
    bench.faults().clear();
    assert_eq!(find(&session), []);
    assert!(session.encrypt(&Mechanism::AesEcb, key, BLOCK).is_err());
    random(&session).unwrap();
    assert_eq!(find(&bench.session()), []);
    bench.library.clone().finalize().unwrap();
    initialize(&bench.library);
    let session = bench.logged_in();
    let key = aes_key(&session);
    assert_eq!(find(&session), [key]);
}

#[test]
fn no_objects_are_found_as_long_as_the_rule_stands() {
    let bench = Bench::new();
    let session = bench.logged_in();
    let key = aes_key(&session);
    bench.set(Rule::always("C_FindObjects", Fault::NoObjects));
    assert_eq!(find(&session), []);
    encrypt(&session, key);
    bench.faults().clear();
    assert_eq!(find(&session), [key]);
}

#[test]
fn renumbered_slots_have_other_ids() {
    let bench = Bench::new();
    let session = bench.session();
    bench.set(Rule::nth(1, "C_GenerateRandom", Fault::RenumberSlots));
    random(&session).unwrap();
    assert_eq!(refusal(bench.library.get_token_info(bench.slot)), RvError::SlotIdInvalid);
    assert_eq!(refusal(bench.library.open_rw_session(bench.slot)), RvError::SlotIdInvalid);
    let slot = slot_of(&bench.library, &bench.shared.token.label);
    assert_ne!(slot, bench.slot);
    assert_eq!(session.get_session_info().unwrap().slot_id(), slot);
    random(&bench.library.open_rw_session(slot).unwrap()).unwrap();
}

#[test]
fn a_pulled_token_comes_back_without_its_sessions() {
    let bench = Bench::new();
    let session = bench.logged_in();
    bench.set(Rule::always("*", Fault::NoToken));
    assert_eq!(bench.library.get_slots_with_token().unwrap(), []);
    assert!(bench.library.get_all_slots().unwrap().contains(&bench.slot));
    assert!(!bench.library.get_slot_info(bench.slot).unwrap().token_present());
    assert_eq!(refusal(bench.library.get_token_info(bench.slot)), RvError::TokenNotPresent);
    assert_eq!(refusal(bench.library.open_rw_session(bench.slot)), RvError::TokenNotPresent);
    assert_eq!(refusal(random(&session)), RvError::DeviceRemoved);
    bench.faults().clear();
    assert!(bench.library.get_slot_info(bench.slot).unwrap().token_present());
    assert_eq!(slot_of(&bench.library, &bench.shared.token.label), bench.slot);
    assert_eq!(refusal(random(&session)), RvError::SessionHandleInvalid);
    assert!(!bench.is_logged_in());
}

#[test]
fn sessions_run_out() {
    let bench = Bench::new();
    let _held = bench.session();
    let freed = bench.session();
    bench.set(Rule::always("C_OpenSession", Fault::LimitSessions(2)));
    assert_eq!(refusal(bench.library.open_rw_session(bench.slot)), RvError::SessionCount);
    freed.close().unwrap();
    let _new = bench.session();
    assert_eq!(refusal(bench.library.open_rw_session(bench.slot)), RvError::SessionCount);
    bench.faults().clear();
    bench.session();
}

#[test]
fn output_is_bent() {
    let bench = Bench::new();
    let session = bench.logged_in();
    let key = aes_key(&session);
    let right = encrypt(&session, key);
    // The length is asked for first: that call has no output, and is not counted.
    bench.set(Rule::nth(1, "C_Encrypt", Fault::Shorten));
    assert_eq!(encrypt(&session, key), right[..15]);
    assert_eq!(encrypt(&session, key), right);
    bench.set(Rule::nth(1, "C_Encrypt", Fault::Empty));
    assert!(encrypt(&session, key).is_empty());
    bench.set(Rule::nth(1, "C_Encrypt", Fault::Corrupt));
    let corrupt = encrypt(&session, key);
    let flipped: u32 = corrupt.iter().zip(&right).map(|(is, was)| (is ^ was).count_ones()).sum();
    assert_eq!((corrupt.len(), flipped), (16, 1));
    bench.set(Rule::nth(1, "C_GetAttributeValue", Fault::Corrupt));
    let label = session.get_attributes(key, &[AttributeType::Label]).unwrap();
    assert_eq!(label, [Attribute::Label(b"ads".to_vec())]);
    bench.set(Rule::nth(1, "C_GenerateRandom", Fault::Empty));
    assert_eq!(random(&session).unwrap(), [0; 16]);
    assert_ne!(random(&session).unwrap(), [0; 16]);
}

#[test]
fn two_modules_in_one_process_have_faults_of_their_own() {
    let bench = Bench::new();
    let other = FaultModule::new();
    let library = Pkcs11::new(other.path()).unwrap();
    // Both stand in front of one SoftHSM.
    let again = library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    assert_eq!(refusal(again), RvError::CryptokiAlreadyInitialized);
    other.set([Rule::always("C_GenerateRandom", Fault::Return(CKR_DEVICE_ERROR))]);
    let slot = slot_of(&library, &bench.shared.token.label);
    let (here, there) = (bench.session(), library.open_rw_session(slot).unwrap());
    random(&here).unwrap();
    assert_eq!(refusal(random(&there)), RvError::DeviceError);
    let counters = other.counters();
    assert_eq!((counters.calls("C_GenerateRandom"), counters.sessions, counters.processes), (1, 1, 1));
}
