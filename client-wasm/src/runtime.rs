//! What `std` would bring along: an allocator, which here wipes, and a panic handler, which here says nothing.

use core::{
    alloc::{GlobalAlloc, Layout},
    hint::black_box,
    panic::PanicInfo,
    ptr,
};

use dlmalloc::GlobalDlmalloc;

#[global_allocator]
static HEAP: WipingHeap = WipingHeap(GlobalDlmalloc);

/// Overwrites every block with zeros before it is given back.
///
/// The memory of a module is never returned to the system and can be read by every script of the page. Arguments and
/// results pass through blocks that the generated code on the JavaScript side allocates and frees, which no type in
/// Rust could wipe.
struct WipingHeap(GlobalDlmalloc);

#[expect(unsafe_code, reason = "an allocator is made of it")]
// SAFETY: every call goes to dlmalloc unchanged; a block is written to only while it is allocated. `realloc` is the
// provided one: allocate, copy, and free, so that a block that moves is wiped where it was.
unsafe impl GlobalAlloc for WipingHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller passes a block of this size that it owns. `black_box` makes the zeros observable, so that
        // they are not left out as writes nobody reads.
        unsafe {
            ptr::write_bytes(block, 0, layout.size());
            self.0.dealloc(black_box(block), layout);
        }
    }
}

/// Ends the call with a trap. The JavaScript side gives this instance up and makes another.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
