//! Registration containers.

use alloc::{string::String, vec::Vec};

use kunji_shared::layouts::container::{self, ContainerError, Entry};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::{failure::Failure, host};

/// An archive of entries with these names and lengths, whose bytes stand one behind the other.
///
/// # Errors
/// `container.*`.
#[wasm_bindgen(js_name = writeContainer)]
#[expect(clippy::needless_pass_by_value, reason = "the bindings pass lists of texts no other way")]
pub fn write_container(names: Vec<String>, lengths: Vec<u32>, bytes: &[u8]) -> Result<Vec<u8>, JsValue> {
    let mut rest = bytes;
    let mut entries = Vec::new();
    for (name, length) in names.iter().zip(lengths) {
        let (bytes, behind) =
            rest.split_at_checked(length as usize).ok_or(ContainerError::Malformed).map_err(Failure::from)?;
        rest = behind;
        entries.push(Entry { name, bytes });
    }
    Ok(container::write(&entries).map_err(Failure::from)?)
}

/// The entries of an archive.
///
/// # Errors
/// `container.*`.
#[wasm_bindgen(js_name = readContainer)]
pub fn read_container(archive: &[u8]) -> Result<Vec<JsValue>, JsValue> {
    let entries = container::read(archive).map_err(Failure::from)?;
    Ok(entries
        .iter()
        .map(|entry| host::entry(entry.name, entry.stored, entry.is_deflated, entry.len, entry.crc32))
        .collect())
}

/// The checksum of an entry.
#[wasm_bindgen]
pub fn crc32(bytes: &[u8]) -> u32 {
    container::crc32(bytes)
}

/// `encryptedHash` of a sub-packet.
#[wasm_bindgen(js_name = encryptedHash)]
pub fn encrypted_hash(registration_packet: &[u8]) -> String {
    container::encrypted_hash(registration_packet)
}
