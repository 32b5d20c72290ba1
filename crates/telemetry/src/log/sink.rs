//! Writing lines without making anybody wait: a stuck stderr must not stop a lease from being renewed.

use std::{
    io::{self, Write},
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread,
    time::{Duration, Instant},
};

/// Lines that may wait for stderr. Further ones are dropped and counted in `hive_log_dropped_total`.
const WAITING: usize = 4_096;
/// How long the end of the process waits for stderr.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

enum Message {
    Line(String),
    /// Answered when everything before it is written.
    Flush(SyncSender<()>),
}

/// The sending half; a thread of its own writes.
#[derive(Clone, Debug)]
pub(crate) struct Sink(SyncSender<Message>);

impl Sink {
    pub(crate) fn spawn(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (sender, inbox) = sync_channel(WAITING);
        thread::Builder::new().name("log".to_owned()).spawn(move || write_all(out, &inbox))?;
        Ok(Self(sender))
    }

    /// Hands over one line, without its newline.
    pub(crate) fn line(&self, line: String) {
        if self.0.try_send(Message::Line(line)).is_err() {
            dropped();
        }
    }

    /// Waits until what was handed over is written, 1 s at most.
    pub(crate) fn flush(&self) {
        let deadline = Instant::now() + FLUSH_WITHIN;
        let (done, answer) = sync_channel(1);
        let mut request = Message::Flush(done);
        while let Err(TrySendError::Full(again)) = self.0.try_send(request) {
            if Instant::now() > deadline {
                return;
            }
            request = again;
            thread::sleep(Duration::from_millis(5));
        }
        // Too late or not: there is nowhere left to say so.
        let _ = answer.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

fn write_all(mut out: impl Write, inbox: &Receiver<Message>) {
    for message in inbox {
        match message {
            Message::Line(mut line) => {
                line.push('\n');
                if out.write_all(line.as_bytes()).is_err() {
                    dropped();
                }
            }
            // Whoever asked may have stopped waiting.
            Message::Flush(done) => drop(done.try_send(())),
        }
    }
}

fn dropped() {
    metrics::counter!("hive_log_dropped_total").increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Barrier, Mutex};

    /// A stderr that is stuck until the barrier opens.
    struct Stuck(Arc<Barrier>, Arc<Mutex<Vec<u8>>>, bool);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !std::mem::replace(&mut self.2, true) {
                self.0.wait();
            }
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_stderr_holds_nobody_up() {
        let (barrier, written) = (Arc::new(Barrier::new(2)), Arc::new(Mutex::new(Vec::new())));
        let sink = Sink::spawn(Stuck(Arc::clone(&barrier), Arc::clone(&written), false)).unwrap();
        for n in 0..2 * WAITING {
            sink.line(format!("line {n}"));
        }
        barrier.wait();
        sink.flush();
        let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = written.lines().collect();
        assert_eq!(lines[..2], ["line 0", "line 1"]);
        assert!((WAITING..=WAITING + 1).contains(&lines.len()), "{} lines", lines.len());
    }
}
