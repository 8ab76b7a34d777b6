//! The archive itself (APPNOTE.TXT of PKWARE, sections 4.3.7, 4.3.12 and 4.3.16). Numbers are little-endian.

use alloc::vec::Vec;

use super::{ContainerError, MAX_ENTRIES, crc32};

const LOCAL: u32 = 0x0403_4B50;
const CENTRAL: u32 = 0x0201_4B50;
const END: u32 = 0x0605_4B50;
const LOCAL_BYTES: usize = 30;
const CENTRAL_BYTES: usize = 46;
const END_BYTES: usize = 22;
const MAX_COMMENT_BYTES: usize = 0xFFFF;
const MAX_NAME_BYTES: usize = 255;
/// Version that is needed: 2.0.
const VERSION: u16 = 20;
const FLAG_ENCRYPTED: u16 = 1;
/// Names are UTF-8.
const FLAG_UTF8: u16 = 1 << 11;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// 1980-01-01, the first day there is: when a container was made stands in its descriptions.
const DATE: u16 = (1 << 5) | 1;

/// What is written.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its name, with `/` between directories.
    pub name: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredEntry<'a> {
    /// Its name, with `/` between directories.
    pub name: &'a str,
    /// Its bytes, as they stand in the archive.
    pub stored: &'a [u8],
    /// Whether they have to be inflated (RFC 1951).
    pub is_deflated: bool,
    /// How many bytes it has, inflated. A claim: more must not be inflated.
    pub len: u32,
    /// [`crc32`](super::crc32()) of the bytes, inflated.
    pub crc32: u32,
}

/// Writes an archive of these entries, in their order.
///
/// # Errors
/// [`ContainerError`]: all but [`Malformed`](ContainerError::Malformed).
pub fn write(entries: &[Entry<'_>]) -> Result<Vec<u8>, ContainerError> {
    if entries.len() > MAX_ENTRIES {
        return Err(ContainerError::TooManyEntries);
    }
    check_names(entries.iter().map(|entry| entry.name))?;
    let around = |entry: &Entry<'_>| LOCAL_BYTES + CENTRAL_BYTES + 2 * entry.name.len();
    let total = entries
        .iter()
        .try_fold(END_BYTES, |total, entry| total.checked_add(around(entry))?.checked_add(entry.bytes.len()));
    let total = total.filter(|&total| u32::try_from(total).is_ok()).ok_or(ContainerError::TooLarge)?;
    let mut archive = Vec::with_capacity(total);
    let mut directory = Vec::new();
    for entry in entries {
        let offset = small(archive.len())?;
        let fields = fields(entry)?;
        put(&mut archive, LOCAL);
        archive.extend_from_slice(&fields);
        archive.extend_from_slice(&[0; 2]);
        archive.extend_from_slice(entry.name.as_bytes());
        archive.extend_from_slice(entry.bytes);
        put(&mut directory, CENTRAL);
        directory.extend_from_slice(&VERSION.to_le_bytes());
        directory.extend_from_slice(&fields);
        // Lengths of extra field and comment, disk, attributes.
        directory.extend_from_slice(&[0; 12]);
        put(&mut directory, offset);
        directory.extend_from_slice(entry.name.as_bytes());
    }
    let (start, length) = (small(archive.len())?, small(directory.len())?);
    archive.append(&mut directory);
    put(&mut archive, END);
    archive.extend_from_slice(&[0; 4]);
    let count = u16::try_from(entries.len()).map_err(|_| ContainerError::TooManyEntries)?.to_le_bytes();
    archive.extend_from_slice(&count);
    archive.extend_from_slice(&count);
    put(&mut archive, length);
    put(&mut archive, start);
    archive.extend_from_slice(&[0; 2]);
    Ok(archive)
}

/// What local header and directory have in common: version, flags, method, time, date, checksum, both lengths, and
/// the name's length.
fn fields(entry: &Entry<'_>) -> Result<Vec<u8>, ContainerError> {
    let length = small(entry.bytes.len())?;
    let name = u16::try_from(entry.name.len()).map_err(|_| ContainerError::Name)?;
    let mut fields = Vec::with_capacity(LOCAL_BYTES);
    for number in [VERSION, FLAG_UTF8, STORED, 0, DATE] {
        fields.extend_from_slice(&number.to_le_bytes());
    }
    for number in [crc32(entry.bytes), length, length] {
        put(&mut fields, number);
    }
    fields.extend_from_slice(&name.to_le_bytes());
    Ok(fields)
}

fn put(bytes: &mut Vec<u8>, number: u32) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn small(number: usize) -> Result<u32, ContainerError> {
    number.try_into().map_err(|_| ContainerError::TooLarge)
}

/// Finds the entries of an archive by its directory. Directories among them are left out.
///
/// # Errors
/// [`ContainerError`], one variant for each way to fail.
pub fn read(archive: &[u8]) -> Result<Vec<StoredEntry<'_>>, ContainerError> {
    let end = find_end(archive).ok_or(ContainerError::Malformed)?;
    if usize::from(end.entries) > MAX_ENTRIES {
        return Err(ContainerError::TooManyEntries);
    }
    let mut directory = Reader(archive.get(end.directory..).ok_or(ContainerError::Malformed)?);
    let mut entries = Vec::new();
    for _ in 0..end.entries {
        let entry = read_entry(archive, &mut directory).ok_or(ContainerError::Malformed)?;
        if !entry.name.ends_with('/') {
            entries.push(entry);
        }
    }
    check_names(entries.iter().map(|entry| entry.name))?;
    Ok(entries)
}

struct End {
    entries: u16,
    directory: usize,
}

/// The record at the archive's end, in front of a comment that fills the rest exactly.
fn find_end(archive: &[u8]) -> Option<End> {
    let last = archive.len().checked_sub(END_BYTES)?;
    let first = last.saturating_sub(MAX_COMMENT_BYTES);
    (first..=last).rev().find_map(|start| {
        let mut reader = Reader(archive.get(start..)?);
        if reader.u32()? != END || reader.u32()? != 0 {
            return None;
        }
        let (here, entries) = (reader.u16()?, reader.u16()?);
        reader.u32()?;
        let directory = usize::try_from(reader.u32()?).ok()?;
        let comment = reader.u16()?;
        let fits = here == entries && directory <= start && reader.0.len() == usize::from(comment);
        fits.then_some(End { entries, directory })
    })
}

fn read_entry<'a>(archive: &'a [u8], directory: &mut Reader<'a>) -> Option<StoredEntry<'a>> {
    if directory.u32()? != CENTRAL {
        return None;
    }
    directory.take(4)?;
    let (flags, method) = (directory.u16()?, directory.u16()?);
    directory.take(4)?;
    let (crc32, stored_len, len) = (directory.u32()?, directory.u32()?, directory.u32()?);
    let (name_len, extra_len, comment_len) = (directory.u16()?, directory.u16()?, directory.u16()?);
    directory.take(8)?;
    let offset = usize::try_from(directory.u32()?).ok()?;
    let name = directory.take(name_len.into())?;
    directory.take(usize::from(extra_len) + usize::from(comment_len))?;
    if flags & FLAG_ENCRYPTED != 0
        || !matches!(method, STORED | DEFLATED)
        || (method == STORED && len != stored_len)
    {
        return None;
    }
    let mut local = Reader(archive.get(offset..)?);
    if local.u32()? != LOCAL {
        return None;
    }
    local.take(LOCAL_BYTES - 8)?;
    let (local_name_len, local_extra_len) = (local.u16()?, local.u16()?);
    // Who reads from the front must not see another name.
    if local.take(local_name_len.into())? != name {
        return None;
    }
    local.take(local_extra_len.into())?;
    let stored = local.take(usize::try_from(stored_len).ok()?)?;
    let name = core::str::from_utf8(name).ok()?;
    Some(StoredEntry { name, stored, is_deflated: method == DEFLATED, len, crc32 })
}

/// At most [`MAX_ENTRIES`] names: each is compared with those before it, which a tree would do with more code.
fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), ContainerError> {
    let mut seen = Vec::new();
    for name in names {
        let leads_out = name.starts_with('/') || name.split('/').any(|part| matches!(part, "" | "." | ".."));
        let is_strange = name.contains(|character: char| character.is_control() || character == '\\');
        if name.len() > MAX_NAME_BYTES || leads_out || is_strange || seen.contains(&name) {
            return Err(ContainerError::Name);
        }
        seen.push(name);
    }
    Ok(())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }
}
