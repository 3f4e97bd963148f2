//! How hyper waits for the head of a request: with one timer a connection.
//!
//! hyper asks for a sleep before each request and drops it as soon as the head is there, and a timer
//! of the runtime takes the lock of all timers to begin and to end. A connection's own one is left to
//! run instead, and moved to the end of the wait that is going on when it fires.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// The timer of one connection.
#[derive(Clone, Default)]
pub(super) struct Patience(Alarm);

/// When it fires; nothing until someone has waited.
type Alarm = Arc<Mutex<Option<Pin<Box<tokio::time::Sleep>>>>>;

impl Timer for Patience {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Wait { deadline: deadline.into(), alarm: self.0.clone() })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

/// One wait on it.
struct Wait {
    deadline: tokio::time::Instant,
    alarm: Alarm,
}

impl Sleep for Wait {}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        let alarm = alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(self.deadline)));
        if alarm.deadline() > self.deadline {
            alarm.as_mut().reset(self.deadline);
        }
        // It may have been set for a wait that is over.
        while alarm.as_mut().poll(context).is_ready() {
            if alarm.deadline() == self.deadline {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(self.deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    /// Begins a wait and gives it up.
    async fn give_up(wait: Pin<Box<dyn Sleep>>) {
        assert!(tokio::time::timeout(Duration::ZERO, wait).await.is_err());
    }

    #[tokio::test]
    async fn each_wait_ends_in_its_own_time() {
        let patience = Patience::default();
        // The timer of a wait that is given up fires during the next, which is not over by that.
        give_up(patience.sleep(SHORT)).await;
        let start = patience.now();
        patience.sleep(3 * SHORT).await;
        assert!(patience.now() - start >= 3 * SHORT);
        // Nor does one keep the next from ending sooner.
        give_up(patience.sleep(Duration::from_hours(1))).await;
        patience.sleep(SHORT).await;
        patience.sleep_until(start).await;
    }
}
