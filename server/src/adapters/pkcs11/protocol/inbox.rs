//! Bytes as they arrive, cut into frames.

use zeroize::Zeroizing;

use super::frame::{Broken, FRAME_LIMIT, PREFIX, length};

/// Keeps what has arrived until it is a whole message. What it held is overwritten when it is dropped.
pub(crate) struct Inbox {
    buffer: Zeroizing<Vec<u8>>,
    /// What is not yet taken: from here …
    begin: usize,
    /// … to here.
    end: usize,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self { buffer: Zeroizing::new(vec![0; PREFIX.saturating_add(FRAME_LIMIT)]), begin: 0, end: 0 }
    }

    /// Where to read to. Never empty once [`Inbox::next`] has said that there is no whole message.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.begin > 0 {
            self.buffer.copy_within(self.begin..self.end, 0);
            self.end = self.end.saturating_sub(self.begin);
            self.begin = 0;
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Says that so many bytes were read.
    pub(crate) fn arrived(&mut self, bytes: usize) {
        self.end = self.end.saturating_add(bytes).min(self.buffer.len());
    }

    /// The next whole message without its prefix, if it has arrived.
    ///
    /// # Errors
    /// [`Broken`] when one is announced that is longer than any may be.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, Broken> {
        let waiting = self.buffer.get(self.begin..self.end).unwrap_or_default();
        let Some((prefix, rest)) = waiting.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let Some(message) = rest.get(..length(*prefix)?) else { return Ok(None) };
        self.begin = self.begin.saturating_add(PREFIX).saturating_add(message.len());
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inbox: &mut Inbox, bytes: &[u8]) {
        inbox.space()[..bytes.len()].copy_from_slice(bytes);
        inbox.arrived(bytes.len());
    }

    #[test]
    fn messages_come_whole_however_they_arrive() {
        let mut inbox = Inbox::new();
        let stream = [&[0, 0, 0, 2, 7, 8][..], &[0, 0, 0, 0], &[0, 0, 0, 1, 9]].concat();
        let mut messages = Vec::new();
        for byte in &stream {
            read(&mut inbox, &[*byte]);
            while let Some(message) = inbox.next().unwrap() {
                messages.push(message.to_vec());
            }
        }
        assert_eq!(messages, [vec![7, 8], vec![], vec![9]]);
        read(&mut inbox, &stream);
        assert_eq!(inbox.next().unwrap().unwrap(), [7, 8]);
        assert_eq!(inbox.next().unwrap().unwrap(), [0; 0]);
        assert_eq!(inbox.next().unwrap().unwrap(), [9]);
        assert_eq!(inbox.next().unwrap(), None);
    }

    #[test]
    fn the_longest_message_fits_and_a_longer_one_is_refused() {
        let mut inbox = Inbox::new();
        read(&mut inbox, &u32::try_from(FRAME_LIMIT).unwrap().to_be_bytes());
        assert_eq!(inbox.next().unwrap(), None);
        read(&mut inbox, &vec![1; FRAME_LIMIT]);
        assert_eq!(inbox.next().unwrap().unwrap().len(), FRAME_LIMIT);
        read(&mut inbox, &u32::try_from(FRAME_LIMIT + 1).unwrap().to_be_bytes());
        assert_eq!(inbox.next().unwrap_err(), Broken);
    }
}
