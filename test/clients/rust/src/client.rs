//! rust-rdkafka, with what the program asks of it said in few words.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers, Message as _, OwnedHeaders};
use rdkafka::producer::{
    BaseRecord, DeliveryResult, NoCustomPartitioner, Producer, ProducerContext, ThreadedProducer,
};
use rdkafka::{Offset, TopicPartitionList};

use crate::shown::{DEADLINE, Outcome, equal, until};

pub const CLIENT_ID: &str = "rust";
pub const PARTITIONS: [i32; 3] = [0, 1, 2];

/// Timestamp first: messages are compared in the order of writing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// Milliseconds.
    pub timestamp: i64,
    pub key: Option<String>,
    pub value: Option<String>,
    pub headers: Vec<(String, Option<String>)>,
}

/// A message where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub partition: i32,
    pub offset: i64,
    pub message: Message,
}

pub type Settings<'a> = &'a [(&'a str, &'a str)];
/// Offset by partition.
pub type Offsets = BTreeMap<i32, i64>;

#[derive(Default)]
struct Deliveries {
    places: Mutex<Vec<Result<(i32, i64), KafkaError>>>,
}

/// Puts the place of each message where its number says.
struct Reports(Arc<Deliveries>);
impl ClientContext for Reports {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: KafkaError, _: &str) {}
}
impl ProducerContext<NoCustomPartitioner> for Reports {
    type DeliveryOpaque = Box<usize>;
    fn delivery(&self, result: &DeliveryResult<'_>, number: Box<usize>) {
        self.0.places.lock().unwrap()[*number] = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.clone()),
        };
    }
}

/// What a member was given and what was taken from it.
#[derive(Default)]
pub struct Changes {
    pub given: Mutex<Vec<Vec<i32>>>,
    pub taken: Mutex<Vec<Vec<i32>>>,
}

struct Listener(Arc<Changes>);
impl ClientContext for Listener {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: KafkaError, _: &str) {}
}
impl ConsumerContext for Listener {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => self.0.given.lock().unwrap().push(partitions_of(list)),
            Rebalance::Revoke(list) => self.0.taken.lock().unwrap().push(partitions_of(list)),
            Rebalance::Error(_) => {}
        }
    }
}

fn partitions_of(list: &TopicPartitionList) -> Vec<i32> {
    let mut partitions: Vec<i32> = list.elements().iter().map(|at| at.partition()).collect();
    partitions.sort();
    partitions
}

fn list_of(topic: &str, offsets: &Offsets) -> Outcome<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    Ok(list)
}

/// -1 where there is none.
fn offsets_of(list: &TopicPartitionList) -> Outcome<Offsets> {
    let mut offsets = Offsets::new();
    for at in list.elements() {
        at.error()?;
        let offset = if let Offset::Offset(offset) = at.offset() { offset } else { -1 };
        offsets.insert(at.partition(), offset);
    }
    Ok(offsets)
}

/// One consumer; in a group when it subscribes.
pub struct Member {
    consumer: BaseConsumer<Listener>,
    topic: String,
    pub changes: Arc<Changes>,
    pub found: Vec<Found>,
}

impl Member {
    /// Takes what has arrived, or waits a little for it.
    pub fn poll(&mut self) -> Outcome {
        let mut patience = Duration::from_millis(20);
        while let Some(message) = self.consumer.poll(patience) {
            let message = message?;
            let text = |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8_lossy(b).into_owned());
            let headers = message.headers().map_or(vec![], |headers| {
                headers.iter().map(|h| (h.key.to_string(), text(h.value))).collect()
            });
            self.found.push(Found {
                partition: message.partition(),
                offset: message.offset(),
                message: Message {
                    timestamp: message.timestamp().to_millis().unwrap_or(-1),
                    key: text(message.key()),
                    value: text(message.payload()),
                    headers,
                },
            });
            patience = Duration::ZERO;
        }
        Ok(())
    }

    pub fn holds(&self) -> Outcome<Vec<i32>> {
        Ok(partitions_of(&self.consumer.assignment()?))
    }

    /// Commits how far it has read.
    pub fn commit(&self) -> Outcome {
        Ok(self.consumer.commit_consumer_state(CommitMode::Sync)?)
    }

    pub fn commit_at(&self, offsets: &Offsets) -> Outcome {
        Ok(self.consumer.commit(&list_of(&self.topic, offsets)?, CommitMode::Sync)?)
    }

    pub fn committed(&self) -> Outcome<Offsets> {
        let all = list_of(&self.topic, &PARTITIONS.map(|p| (p, 0)).into())?;
        offsets_of(&self.consumer.committed_offsets(all, DEADLINE)?)
    }

    pub fn seek(&self, offsets: &Offsets) -> Outcome {
        let sought = self.consumer.seek_partitions(list_of(&self.topic, offsets)?, DEADLINE)?;
        sought.elements().iter().try_for_each(|at| Ok(at.error()?))
    }
}

/// A group as the broker describes it.
#[derive(Debug, PartialEq)]
pub struct Description {
    pub state: String,
    pub protocol: String,
    /// Client id and the partitions it holds by topic.
    pub members: Vec<(String, Vec<(String, Vec<i32>)>)>,
}

pub struct Client {
    bootstrap: String,
    admin: AdminClient<DefaultClientContext>,
}

impl Client {
    pub fn new(bootstrap: &str) -> Outcome<Client> {
        let admin = config(bootstrap, &[]).create()?;
        Ok(Client { bootstrap: bootstrap.to_string(), admin })
    }

    /// Three partitions, each led when this returns; false when the topic exists.
    pub fn create(&self, topic: &str) -> Outcome<bool> {
        let wanted = NewTopic::new(topic, 3, TopicReplication::Fixed(1));
        let options = AdminOptions::new().operation_timeout(Some(DEADLINE));
        let answers = block_on(self.admin.create_topics(&[wanted], &options))?;
        match answers.first() {
            Some(Ok(_)) => {}
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => return Ok(false),
            other => return Err(format!("creation of {topic}: {other:?}").into()),
        }
        // What librdkafka once took for an unknown partition it asks for again only by new metadata.
        until("leaders", || Ok(self.partitions(topic)?.len() == 3 && self.ends(topic).is_ok()))?;
        Ok(true)
    }

    /// As metadata of all topics says.
    pub fn partitions(&self, topic: &str) -> Outcome<Vec<i32>> {
        let metadata = self.admin.inner().fetch_metadata(None, DEADLINE)?;
        let mut ids = vec![];
        for found in metadata.topics().iter().filter(|found| found.name() == topic) {
            ids.extend(found.partitions().iter().map(|partition| partition.id()));
        }
        ids.sort();
        Ok(ids)
    }

    pub fn ends(&self, topic: &str) -> Outcome<Offsets> {
        let mut ends = Offsets::new();
        for p in PARTITIONS {
            ends.insert(p, self.admin.inner().fetch_watermarks(topic, p, DEADLINE)?.1);
        }
        Ok(ends)
    }

    /// Answers the place of each message. `place` chooses a partition for message i.
    pub fn produce(
        &self,
        topic: &str,
        messages: &[Message],
        place: Option<fn(usize) -> i32>,
        settings: Settings,
    ) -> Outcome<Vec<(i32, i64)>> {
        let deliveries = Arc::new(Deliveries::default());
        let unknown = || Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut));
        *deliveries.places.lock().unwrap() = messages.iter().map(|_| unknown()).collect();
        let producer: ThreadedProducer<Reports> = config(&self.bootstrap, settings)
            .set("partitioner", "murmur2_random")
            .set("sticky.partitioning.linger.ms", "0")
            .create_with_context(Reports(deliveries.clone()))?;
        for (i, message) in messages.iter().enumerate() {
            let mut record = BaseRecord::<str, str, Box<usize>>::with_opaque_to(topic, Box::new(i));
            record = record.timestamp(message.timestamp);
            if let Some(key) = &message.key {
                record = record.key(key.as_str());
            }
            if let Some(value) = &message.value {
                record = record.payload(value.as_str());
            }
            if let Some(place) = place {
                record = record.partition(place(i));
            }
            if !message.headers.is_empty() {
                let headers = message.headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
                    all.insert(rdkafka::message::Header { key, value: value.as_ref() })
                });
                record = record.headers(headers);
            }
            producer.send(record).map_err(|(error, _)| error)?;
        }
        producer.flush(DEADLINE)?;
        let places = deliveries.places.lock().unwrap();
        Ok(places.iter().cloned().collect::<Result<_, _>>()?)
    }

    fn consumer(&self, group: &str, topic: &str, settings: Settings) -> Outcome<Member> {
        let changes = Arc::new(Changes::default());
        let consumer = config(&self.bootstrap, settings)
            .set("group.id", group)
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            .set("heartbeat.interval.ms", "300")
            .set("fetch.wait.max.ms", "100")
            .create_with_context(Listener(changes.clone()))?;
        Ok(Member { consumer, topic: topic.to_string(), changes, found: vec![] })
    }

    /// A member of a group: it starts where the group committed, else at the start.
    pub fn join(&self, group: &str, topic: &str, settings: Settings) -> Outcome<Member> {
        let member = self.consumer(group, topic, settings)?;
        member.consumer.subscribe(&[topic])?;
        Ok(member)
    }

    /// Reads all partitions from their start, in no group.
    pub fn reader(&self, topic: &str) -> Outcome<Member> {
        let member = self.consumer(&format!("{topic}-reader"), topic, &[])?;
        member.consumer.assign(&list_of(topic, &PARTITIONS.map(|p| (p, 0)).into())?)?;
        Ok(member)
    }

    /// Everything in a topic now, by partition.
    pub fn read_all(&self, topic: &str) -> Outcome<BTreeMap<i32, Vec<Message>>> {
        let count: i64 = self.ends(topic)?.values().sum();
        let mut reader = self.reader(topic)?;
        until(&format!("{count} messages of {topic}"), || {
            reader.poll()?;
            Ok(reader.found.len() as i64 >= count)
        })?;
        let mut read: BTreeMap<i32, Vec<Message>> = PARTITIONS.map(|p| (p, vec![])).into();
        for Found { partition, offset, message } in std::mem::take(&mut reader.found) {
            let part = read.get_mut(&partition).ok_or("an unknown partition")?;
            equal(offset, part.len() as i64, "offset")?;
            part.push(message);
        }
        Ok(read)
    }

    pub fn offsets_at(&self, topic: &str, timestamp: i64) -> Outcome<Offsets> {
        let times = list_of(topic, &PARTITIONS.map(|p| (p, timestamp)).into())?;
        offsets_of(&self.reader(topic)?.consumer.offsets_for_times(times, DEADLINE)?)
    }

    /// As the broker knows them, asked from outside the group.
    pub fn committed(&self, group: &str, topic: &str) -> Outcome<Offsets> {
        self.consumer(group, topic, &[])?.committed()
    }

    /// Commits for a group that has no members.
    pub fn commit(&self, group: &str, topic: &str, offsets: &Offsets) -> Outcome {
        self.consumer(group, topic, &[])?.commit_at(offsets)
    }

    pub fn groups(&self) -> Outcome<Vec<String>> {
        let list = self.admin.inner().fetch_group_list(None, DEADLINE)?;
        Ok(list.groups().iter().map(|group| group.name().to_string()).collect())
    }

    pub fn describe(&self, group: &str) -> Outcome<Description> {
        let list = self.admin.inner().fetch_group_list(Some(group), DEADLINE)?;
        let info = list.groups().first().ok_or("no description")?;
        equal(info.name(), group, "name")?;
        let mut members = vec![];
        for member in info.members() {
            let held = assignment(member.assignment().unwrap_or_default());
            members.push((member.client_id().to_string(), held.ok_or("a broken assignment")?));
        }
        let (state, protocol) = (info.state().to_string(), info.protocol().to_string());
        Ok(Description { state, protocol, members })
    }

    pub fn delete_group(&self, group: &str) -> Outcome {
        let options = AdminOptions::new();
        match block_on(self.admin.delete_groups(&[group], &options))?.first() {
            Some(Ok(_)) => Ok(()),
            other => Err(format!("deletion of {group}: {other:?}").into()),
        }
    }
}

fn config(bootstrap: &str, settings: Settings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("client.id", CLIENT_ID);
    config.set_log_level(RDKafkaLogLevel::Emerg);
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config
}

/// The partitions by topic in ConsumerProtocolAssignment: version, then an array.
fn assignment(bytes: &[u8]) -> Option<Vec<(String, Vec<i32>)>> {
    let mut at = 2;
    let mut take = |count: usize| {
        let part = bytes.get(at..at + count)?;
        at += count;
        Some(part)
    };
    let mut topics = vec![];
    for _ in 0..i32::from_be_bytes(take(4)?.try_into().ok()?) {
        let length = i16::from_be_bytes(take(2)?.try_into().ok()?);
        let name = String::from_utf8_lossy(take(length.try_into().ok()?)?).into_owned();
        let mut partitions = vec![];
        for _ in 0..i32::from_be_bytes(take(4)?.try_into().ok()?) {
            partitions.push(i32::from_be_bytes(take(4)?.try_into().ok()?));
        }
        partitions.sort();
        topics.push((name, partitions));
    }
    Some(topics)
}
