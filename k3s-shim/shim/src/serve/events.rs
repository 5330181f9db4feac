//! What containerd is told without asking: that tasks were made, run, ran out of memory, ended. In the order in which it
//! happened. Knows containerd's event service alone.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use containerd_shim_protos::api::ForwardRequest;
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::protobuf::{Message, MessageField};
use containerd_shim_protos::shim::event::Envelope;
use containerd_shim_protos::shim_async::{Client, EventsClient};
use containerd_shim_protos::ttrpc::context;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::log;
use super::message::timestamp;

/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How often an event is offered: containerd may be restarting. It asks for the state of everything when it is back.
const ATTEMPTS: u32 = 6;

/// Where events go.
#[derive(Clone)]
pub(crate) struct Events {
    queue: mpsc::UnboundedSender<Envelope>,
    /// How many wait to be delivered.
    waiting: Arc<watch::Sender<usize>>,
    namespace: String,
}

impl Events {
    /// Sends to the ttrpc socket of this name.
    pub(crate) fn start(address: String, namespace: String) -> Self {
        let (queue, mut events) = mpsc::unbounded_channel();
        let waiting = Arc::new(watch::Sender::new(0));
        let done = waiting.clone();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                deliver(&address, event).await;
                done.send_modify(|waiting| *waiting -= 1);
            }
        });
        Self {
            queue,
            waiting,
            namespace,
        }
    }

    /// All events so far are delivered, or given up.
    pub(crate) async fn delivered(&self) {
        // It fails only if there is nobody to deliver any more.
        let _ = self
            .waiting
            .subscribe()
            .wait_for(|waiting| *waiting == 0)
            .await;
    }

    /// Says that something has happened.
    pub(crate) fn publish<M: Message>(&self, topic: &str, event: &M) {
        let value = match event.write_to_bytes() {
            Ok(value) => value,
            Err(e) => return log::warn(format!("{topic} cannot be encoded: {e}")),
        };
        let envelope = Envelope {
            timestamp: MessageField::some(timestamp(SystemTime::now())),
            namespace: self.namespace.clone(),
            topic: topic.into(),
            event: MessageField::some(Any {
                type_url: format!("containerd.events.{}", M::NAME),
                value,
                ..Any::default()
            }),
            ..Envelope::default()
        };
        self.waiting.send_modify(|waiting| *waiting += 1);
        // It fails only when the shim ends.
        let _ = self.queue.send(envelope);
    }
}

async fn deliver(address: &str, event: Envelope) {
    let topic = event.topic.clone();
    let request = ForwardRequest {
        envelope: MessageField::some(event),
        ..ForwardRequest::default()
    };
    let mut pause = Duration::from_millis(200);
    for _ in 0..ATTEMPTS {
        // A connection each time: events are rare, and the socket may be a new one.
        let sent = async {
            let client = EventsClient::new(Client::connect(address).await?);
            client
                .forward(context::with_duration(TIMEOUT), &request)
                .await
        };
        match sent.await {
            Ok(_) => return,
            Err(e) => log::debug(format!("{topic} was not delivered: {e}")),
        }
        sleep(pause).await;
        pause *= 2;
    }
    log::warn(format!("{topic} was not delivered to {address}: given up"));
}
