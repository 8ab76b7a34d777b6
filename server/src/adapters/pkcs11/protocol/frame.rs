//! Messages on a socket: four bytes with the length (big-endian), then the message as postcard writes it.

use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

/// Bytes of a frame before its message.
pub(crate) const PREFIX: usize = 4;
/// No message is longer: the longest holds one wrapped secret and its context.
pub(crate) const FRAME_LIMIT: usize = 64 << 10;

/// What was sent is no message of ours.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message of this program")]
pub(crate) struct Broken;

/// A frame, to be sent as it is.
///
/// # Errors
/// [`Broken`] when the message is longer than any may be.
pub(crate) fn encode(message: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, Broken> {
    // Sized exactly, so that no grown buffer leaves a copy of a secret behind.
    let size = postcard::experimental::serialized_size(message).map_err(|_| Broken)?;
    let length = u32::try_from(size).ok().filter(|_| size <= FRAME_LIMIT).ok_or(Broken)?;
    let mut frame = Zeroizing::new(vec![0; PREFIX.saturating_add(size)]);
    let (prefix, body) = frame.split_at_mut_checked(PREFIX).ok_or(Broken)?;
    prefix.copy_from_slice(&length.to_be_bytes());
    postcard::to_slice(message, body).map_err(|_| Broken)?;
    Ok(frame)
}

/// Length of the message that follows this prefix.
///
/// # Errors
/// [`Broken`] when it is longer than any may be.
pub(crate) fn length(prefix: [u8; PREFIX]) -> Result<usize, Broken> {
    usize::try_from(u32::from_be_bytes(prefix)).ok().filter(|length| *length <= FRAME_LIMIT).ok_or(Broken)
}

/// The message of a frame, without its prefix.
///
/// # Errors
/// [`Broken`] when it is none.
pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Broken> {
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        _ => Err(Broken),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Answer, Fault, Operation, Order, Secret},
        *,
    };
    use crate::domain::key::TokenKeyId;

    fn body(frame: &[u8]) -> &[u8] {
        let (prefix, body) = frame.split_at(PREFIX);
        assert_eq!(length(prefix.try_into().unwrap()).unwrap(), body.len());
        body
    }

    #[test]
    fn messages_come_back_as_they_were_sent() {
        let order = Order {
            operation: Operation::Wrap {
                kek: TokenKeyId([7; 16]).into(),
                context: b"context".to_vec(),
                secret: Secret::new(Zeroizing::new(vec![9; 16 << 10])),
            },
            patience: std::time::Duration::from_secs(10),
        };
        let frame = encode(&order).unwrap();
        let back: Order = decode(body(&frame)).unwrap();
        let Operation::Wrap { context, secret, .. } = back.operation else { panic!("another operation") };
        assert_eq!(context, b"context");
        assert_eq!(secret.expose(), [9; 16 << 10]);
        let fault = Fault::Gone("C_Sign: DeviceRemoved".to_owned());
        let frame = encode(&Err::<Answer, _>(fault.clone())).unwrap();
        let back: Result<Answer, Fault> = decode(body(&frame)).unwrap();
        assert_eq!(back.unwrap_err(), fault);
    }

    #[test]
    fn what_is_too_long_cut_or_followed_by_more_is_refused() {
        assert_eq!(encode(&vec![0_u8; FRAME_LIMIT]).unwrap_err(), Broken);
        assert_eq!(length(u32::MAX.to_be_bytes()), Err(Broken));
        let frame = encode(&Fault::Gone("x".to_owned())).unwrap();
        let whole = body(&frame);
        assert!(decode::<Fault>(&whole[..whole.len() - 1]).is_err());
        assert!(decode::<Fault>(&[whole, &[0]].concat()).is_err());
        assert!(decode::<Fault>(&[99]).is_err());
    }
}
