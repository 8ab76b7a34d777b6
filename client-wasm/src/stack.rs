//! Where the stack lies, so that the JavaScript side can wipe it: no code can wipe the stack that it runs on.

use wasm_bindgen::prelude::wasm_bindgen;

#[expect(unsafe_code, reason = "the linker defines these symbols")]
// SAFETY: nothing is read from them, they are addresses only.
unsafe extern "C" {
    static __stack_low: u8;
    static __stack_high: u8;
}

/// Address of the stack's first byte, up to which it may grow down.
#[wasm_bindgen(js_name = stackStart)]
pub fn stack_start() -> usize {
    (&raw const __stack_low).addr()
}

/// Address behind the stack's last byte: it is empty between calls.
#[wasm_bindgen(js_name = stackEnd)]
pub fn stack_end() -> usize {
    (&raw const __stack_high).addr()
}
