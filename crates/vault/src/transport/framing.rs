//! Messages on a stream of bytes: four bytes of length, little-endian, then as many bytes. A length
//! of zero is a heartbeat.

use std::io::{self, ErrorKind};
use std::time::Duration as StdDuration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::MESSAGE_MAX;

/// How long a reader waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Without even a heartbeat for this long, nobody is there.
    silence_max: StdDuration,
    /// Any part of a message that has begun follows within this.
    progress_within: StdDuration,
    /// A message that has begun arrives whole within this.
    message_within: StdDuration,
}

/// Three heartbeats may be lost; the longest message takes 400 s at ten kilobytes a second.
pub(super) const PATIENCE: Patience = Patience {
    silence_max: StdDuration::from_secs(10),
    progress_within: StdDuration::from_secs(10),
    message_within: StdDuration::from_secs(400),
};

/// Room is made as bytes arrive: a length alone costs the receiver nothing.
const READ_STEP: usize = 64 * 1024;

/// Reads the next message; `None` where the stream ended between two messages.
///
/// # Errors
/// When the stream ends within a message, the message is too long, nothing is heard for too long, or
/// a message that has begun does not go on.
pub(super) async fn read_message(
    stream: &mut (impl AsyncRead + Unpin),
    patience: Patience,
) -> io::Result<Option<Vec<u8>>> {
    loop {
        let Some(length) = read_length(stream, patience).await? else { return Ok(None) };
        if length == 0 {
            continue;
        }
        if length > MESSAGE_MAX {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                format!("a message of {length} bytes; the longest has {MESSAGE_MAX}"),
            ));
        }
        let message = timeout(patience.message_within, read_body(stream, length, patience));
        return message.await.map_err(|_| too_slow("a message"))?.map(Some);
    }
}

async fn read_length(
    stream: &mut (impl AsyncRead + Unpin),
    patience: Patience,
) -> io::Result<Option<usize>> {
    let mut length = [0; 4];
    let first = timeout(patience.silence_max, stream.read(&mut length));
    let mut read = first.await.map_err(|_| too_slow("a heartbeat"))??;
    if read == 0 {
        return Ok(None);
    }
    while read < length.len() {
        read += read_some(stream, &mut length[read..], patience).await?;
    }
    Ok(Some(u32::from_le_bytes(length) as usize))
}

async fn read_body(
    stream: &mut (impl AsyncRead + Unpin),
    length: usize,
    patience: Patience,
) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() < length {
        let (begin, end) = (body.len(), length.min(body.len() + READ_STEP));
        body.resize(end, 0);
        let mut at = begin;
        while at < end {
            at += read_some(stream, &mut body[at..end], patience).await?;
        }
    }
    Ok(body)
}

/// Some bytes of a message that has begun.
async fn read_some(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut [u8],
    patience: Patience,
) -> io::Result<usize> {
    match timeout(patience.progress_within, stream.read(buffer)).await {
        Ok(Ok(0)) => {
            Err(io::Error::new(ErrorKind::ConnectionAborted, "it ended in the middle of a message"))
        }
        Ok(read) => read,
        Err(_) => Err(too_slow("the rest of a message")),
    }
}

fn too_slow(what: &str) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, format!("{what} did not come in time"))
}

/// Writes a message; it is on its way once the stream is flushed.
pub(super) async fn write_message(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &[u8],
) -> io::Result<()> {
    let length = u32::try_from(message.len()).ok().filter(|_| message.len() <= MESSAGE_MAX);
    let length = length.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "too long"))?;
    stream.write_all(&length.to_le_bytes()).await?;
    stream.write_all(message).await
}

/// Says that somebody is there.
pub(super) async fn write_heartbeat(stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    stream.write_all(&0_u32.to_le_bytes()).await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QUICK: Patience = Patience {
        silence_max: StdDuration::from_millis(30),
        progress_within: StdDuration::from_millis(30),
        message_within: StdDuration::from_millis(90),
    };

    async fn all_of(mut bytes: &[u8]) -> (Vec<Vec<u8>>, io::Result<()>) {
        let mut messages = Vec::new();
        loop {
            match read_message(&mut bytes, QUICK).await {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => return (messages, Ok(())),
                Err(error) => return (messages, Err(error)),
            }
        }
    }

    #[tokio::test]
    async fn messages_arrive_whole_and_heartbeats_not_at_all() {
        let mut bytes = Vec::new();
        let long = vec![7; READ_STEP + 5];
        for message in [&b"one"[..], &long, b"three"] {
            write_heartbeat(&mut bytes).await.unwrap();
            write_message(&mut bytes, message).await.unwrap();
        }
        assert_eq!(bytes[4..11], *b"\x03\0\0\0one");
        let (messages, end) = all_of(&bytes).await;
        assert_eq!(messages, [b"one".to_vec(), long, b"three".to_vec()]);
        end.unwrap();
        assert!(write_message(&mut bytes, &vec![0; MESSAGE_MAX + 1]).await.is_err());
    }

    #[tokio::test]
    async fn truncated_and_oversize_messages_are_errors() {
        let mut bytes = Vec::new();
        write_message(&mut bytes, b"hello").await.unwrap();
        for end in 1..bytes.len() {
            let error = all_of(&bytes[..end]).await.1.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionAborted, "{end}");
        }
        let too_long = u32::try_from(MESSAGE_MAX + 1).unwrap().to_le_bytes();
        let error = all_of(&too_long).await.1.unwrap_err();
        assert!(error.to_string().contains("longest"), "{error}");
    }

    #[tokio::test]
    async fn whoever_dribbles_is_cut_off() {
        // Nothing at all.
        let (_quiet, mut stream) = tokio::io::duplex(64);
        let error = read_message(&mut stream, QUICK).await.unwrap_err();
        assert!(error.to_string().contains("a heartbeat"), "{error}");
        // A message that begins and stops.
        let (mut stopped, mut stream) = tokio::io::duplex(64);
        stopped.write_all(&[200, 0, 0, 0, 1]).await.unwrap();
        let error = read_message(&mut stream, QUICK).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        // A byte now and then, for ever.
        let (mut dribbling, mut stream) = tokio::io::duplex(64);
        let dribble = tokio::spawn(async move {
            dribbling.write_all(&[0, 0, 1, 0]).await.unwrap();
            while dribbling.write_all(&[0]).await.is_ok() {
                tokio::time::sleep(StdDuration::from_millis(10)).await;
            }
        });
        let error = read_message(&mut stream, QUICK).await.unwrap_err();
        assert!(error.to_string().starts_with("a message"), "{error}");
        drop(stream);
        dribble.await.unwrap();
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap();
            let (messages, _) = runtime.block_on(all_of(&bytes));
            let read: usize = messages.iter().map(Vec::len).sum();
            prop_assert!(read <= bytes.len());
        }
    }
}
