//! rust-rdkafka (librdkafka): ottla-test-rust BOOTSTRAP PREFIX TIME work|again

mod client;
mod shown;

use std::collections::BTreeMap;

use client::{CLIENT_ID, Client, Description, Found, Member, Message, Offsets, PARTITIONS, Settings};
use shown::{Facts, Outcome, absent, equal, until};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

struct Scenario {
    client: Client,
    prefix: String,
    first_time: i64,
}

/// How far the group commits that `again` finds.
fn halfway() -> Offsets {
    [(0, 10), (1, 20), (2, 30)].into()
}

fn every_third(i: usize) -> i32 {
    i as i32 % 3
}

fn messages(found: &[&[Found]]) -> Vec<Message> {
    let mut all: Vec<Message> =
        found.iter().flat_map(|part| part.iter().map(|one| one.message.clone())).collect();
    all.sort();
    all
}

/// They hold the three partitions together: each some, none twice.
fn share(first: &Member, second: &Member) -> Outcome<bool> {
    let (a, b) = (first.holds()?, second.holds()?);
    let mut both = [a.clone(), b.clone()].concat();
    both.sort();
    Ok(!a.is_empty() && !b.is_empty() && both == PARTITIONS)
}

/// Polls the members until `done`.
fn wait(what: &str, members: &mut [&mut Member], done: impl Fn(&[&mut Member]) -> Outcome<bool>) -> Outcome {
    until(what, || {
        for member in members.iter_mut() {
            member.poll()?;
        }
        done(members)
    })
}

fn holds_all(members: &[&mut Member]) -> Outcome<bool> {
    Ok(members[0].holds()? == PARTITIONS)
}

fn shared(members: &[&mut Member]) -> Outcome<bool> {
    share(members[0], members[1])
}

fn read(members: &[&mut Member]) -> usize {
    members.iter().map(|member| member.found.len()).sum()
}

impl Scenario {
    fn name(&self, what: &str) -> String {
        format!("{}-rust-{what}", self.prefix)
    }

    /// The same messages for the same topic in every run: half with one of ten keys.
    fn messages(&self, topic: &str) -> Vec<Message> {
        let message = |i: usize| Message {
            timestamp: self.first_time + i as i64 * 1000,
            key: (i % 2 == 0).then(|| format!("key-{}", i / 2 % 10)),
            value: Some(format!("{topic} message {i} {}", "é".repeat(i % 50))),
            headers: vec![],
        };
        (0..300).map(message).collect()
    }

    fn create(&self, what: &str) -> Outcome<String> {
        let topic = self.name(what);
        equal(self.client.create(&topic)?, true, "created")?;
        Ok(topic)
    }

    /// The same number of messages into each partition.
    fn spread(&self, topic: &str, messages: &[Message]) -> Outcome {
        self.client.produce(topic, messages, Some(every_third), &[])?;
        Ok(())
    }

    fn topic(&self) -> Outcome {
        let topic = self.create("topic")?;
        equal(self.client.partitions(&topic)?, PARTITIONS.to_vec(), "partitions")?;
        equal(self.client.create(&topic)?, false, "created again")
    }

    fn produce(&self, what: &str, settings: Settings) -> Outcome {
        let topic = self.create(what)?;
        let messages = self.messages(&topic);
        let places = self.client.produce(&topic, &messages, None, settings)?;
        let read = self.client.read_all(&topic)?;
        holds(&read, &messages)?;
        for ((partition, offset), message) in places.iter().zip(&messages) {
            equal(&read[partition][*offset as usize], message, "where the report says")?;
        }
        Ok(())
    }

    fn partitioner(&self) -> Outcome {
        let topic = self.create("partitioner")?;
        let message = |i| Message {
            timestamp: self.first_time,
            key: Some(format!("key-{i}")),
            value: Some("value".into()),
            headers: vec![],
        };
        let messages: Vec<Message> = (0..10).map(message).collect();
        let places = self.client.produce(&topic, &messages, None, &[])?;
        let homes: Vec<i32> = places.iter().map(|place| place.0).collect();
        equal(homes, vec![1, 0, 2, 2, 0, 2, 2, 1, 1, 0], "partitions")
    }

    fn headers(&self) -> Outcome {
        let topic = self.create("headers")?;
        let header = |key: &str, value: Option<&str>| (key.to_string(), value.map(str::to_string));
        let deleted = Message {
            timestamp: self.first_time,
            key: Some("deleted".into()),
            value: None,
            headers: vec![
                header("trace", Some("abc")),
                header("empty", Some("")),
                header("none", None),
                header("trace", Some("é")),
            ],
        };
        let empty = Message {
            timestamp: self.first_time + 1,
            key: Some("".into()),
            value: Some("".into()),
            headers: vec![],
        };
        let sent = vec![deleted, empty];
        self.client.produce(&topic, &sent, Some(|_| 0), &[])?;
        equal(&self.client.read_all(&topic)?[&0], &sent, "read")
    }

    fn timestamp(&self) -> Outcome {
        let topic = self.name("none");
        let time = self.first_time + 122_500;
        let all = self.client.read_all(&topic)?;
        let first = |part: &Vec<Message>| part.iter().position(|m| m.timestamp >= time);
        let mut expected = Offsets::new();
        for (p, part) in &all {
            expected.insert(*p, first(part).ok_or("nothing that young")? as i64);
        }
        let offsets = self.client.offsets_at(&topic, time)?;
        equal(&offsets, &expected, "offsets for the timestamp")?;
        let mut reader = self.client.reader(&topic)?;
        let some_of_each = |members: &[&mut Member]| {
            let found = |p: &i32| members[0].found.iter().any(|one| one.partition == *p);
            Ok(PARTITIONS.iter().all(found))
        };
        wait("a message of each partition", &mut [&mut reader], some_of_each)?;
        reader.seek(&offsets)?;
        reader.found.clear();
        wait("a message of each partition", &mut [&mut reader], some_of_each)?;
        for (p, offset) in &offsets {
            let next = reader.found.iter().find(|one| one.partition == *p).ok_or("no message")?;
            equal(&next.message, &all[p][*offset as usize], "next message")?;
        }
        Ok(())
    }

    fn group(&self, facts: &mut Facts) -> Outcome {
        let (topic, group) = (self.create("group")?, self.name("group"));
        let messages_ = self.messages(&topic);
        let mut first = self.client.join(&group, &topic, &[])?;
        let mut second = None;
        facts.shown("group of two", || {
            wait("one holds all", &mut [&mut first], holds_all)?;
            let other = second.insert(self.client.join(&group, &topic, &[])?);
            wait("two share", &mut [&mut first, other], shared)?;
            self.spread(&topic, &messages_[..150])?;
            wait("150 messages", &mut [&mut first, other], |all| Ok(read(all) >= 150))?;
            equal(messages(&[&first.found, &other.found]), messages_[..150].to_vec(), "read")?;
            for member in [&first, other] {
                let mut from: Vec<i32> = member.found.iter().map(|one| one.partition).collect();
                from.sort();
                from.dedup();
                equal(from, member.holds()?, "partitions read from")?;
                member.commit()?;
            }
            Ok(())
        });
        facts.shown("leave", || {
            let before = second.take().ok_or("there is no second member")?.found.clone();
            wait("one holds all", &mut [&mut first], holds_all)?;
            self.spread(&topic, &messages_[150..])?;
            wait("300 messages", &mut [&mut first], |all| Ok(read(all) + before.len() >= 300))?;
            equal(messages(&[&first.found, &before]), messages_.clone(), "read")
        });
        facts.shown("describe group", || {
            let expected = Description {
                state: "Stable".into(),
                protocol: "range".into(),
                members: vec![(CLIENT_ID.into(), vec![(topic.clone(), PARTITIONS.to_vec())])],
            };
            equal(self.client.describe(&group)?, expected, "described")
        });
        facts.shown("list groups", || equal(self.client.groups()?.contains(&group), true, "listed"));
        Ok(())
    }

    fn commit(&self) -> Outcome {
        let (topic, group) = (self.create("resume")?, self.name("resume"));
        self.spread(&topic, &self.messages(&topic))?;
        let mut member = self.client.join(&group, &topic, &[])?;
        wait("300 messages", &mut [&mut member], |all| Ok(read(all) >= 300))?;
        member.commit_at(&halfway())?;
        equal(member.committed()?, halfway(), "asked by the member")?;
        drop(member);
        self.offsets_kept()
    }

    fn offsets_kept(&self) -> Outcome {
        let name = self.name("resume");
        equal(self.client.committed(&name, &name)?, halfway(), "committed")
    }

    /// A new member begins at the committed offsets and reads to the end, each offset once.
    fn resumed(&self) -> Outcome<Member> {
        let name = self.name("resume");
        let mut member = self.client.join(&name, &name, &[])?;
        wait("240 messages", &mut [&mut member], |all| Ok(read(all) >= 240))?;
        for (p, offset) in halfway() {
            let here = member.found.iter().filter(|one| one.partition == p);
            let offsets: Vec<i64> = here.map(|one| one.offset).collect();
            equal(offsets, (offset..100).collect(), "offsets read")?;
        }
        Ok(member)
    }

    fn resume(&self) -> Outcome {
        drop(self.resumed()?);
        self.offsets_kept()
    }

    fn resume_again(&self) -> Outcome {
        let member = self.resumed()?;
        member.commit()?;
        drop(member);
        let name = self.name("resume");
        equal(self.client.committed(&name, &name)?, PARTITIONS.map(|p| (p, 100)).into(), "committed")
    }

    /// What a member keeps is not revoked from it when another one joins (KIP-429).
    fn cooperative(&self) -> Outcome {
        let (topic, group) = (self.create("cooperative")?, self.name("cooperative"));
        let settings = &[("partition.assignment.strategy", "cooperative-sticky")];
        let mut first = self.client.join(&group, &topic, settings)?;
        wait("one holds all", &mut [&mut first], holds_all)?;
        let mut second = self.client.join(&group, &topic, settings)?;
        wait("two share", &mut [&mut first, &mut second], shared)?;
        let taken = |member: &Member| member.changes.taken.lock().unwrap().concat();
        equal(taken(&first), second.holds()?, "taken from the first")?;
        equal(taken(&second), vec![], "taken from the second")?;
        drop(second);
        wait("one holds all", &mut [&mut first], holds_all)?;
        equal(first.changes.taken.lock().unwrap().len(), 1, "times something was taken")
    }

    /// A static member closes and comes back: nobody else hears of it (KIP-345).
    fn static_member(&self) -> Outcome {
        let (topic, group) = (self.create("static")?, self.name("static"));
        let join = |id: &str| self.client.join(&group, &topic, &[("group.instance.id", id)]);
        let (mut other, mut before) = (join("other")?, join("restarted")?);
        wait("two share", &mut [&mut other, &mut before], shared)?;
        let (heard, held) = (other.changes.given.lock().unwrap().len(), before.holds()?);
        drop(before);
        let mut after = join("restarted")?;
        wait("two share", &mut [&mut other, &mut after], shared)?;
        equal(after.holds()?, held, "held after the restart")?;
        self.spread(&topic, &self.messages(&topic))?;
        wait("300 messages", &mut [&mut other, &mut after], |all| Ok(read(all) >= 300))?;
        equal(other.changes.given.lock().unwrap().len(), heard, "times it was given something")
    }

    /// A group without members that has committed in the topic `resume`.
    fn group_of_nobody(&self, what: &str, offsets: Offsets) -> Outcome<(String, String)> {
        let (topic, group) = (self.name("resume"), self.name(what));
        self.client.commit(&group, &topic, &offsets)?;
        equal(self.client.committed(&group, &topic)?, offsets, "committed")?;
        Ok((topic, group))
    }

    fn lag(&self) -> Outcome {
        let (topic, group) = self.group_of_nobody("lag", [(0, 100), (1, 40), (2, 0)].into())?;
        let committed = self.client.committed(&group, &topic)?;
        let ends = self.client.ends(&topic)?;
        let lag: Offsets = ends.iter().map(|(p, end)| (*p, end - committed[p])).collect();
        equal(lag, [(0, 0), (1, 60), (2, 100)].into(), "lag")
    }

    fn delete_group(&self) -> Outcome {
        let (topic, group) = self.group_of_nobody("deleted", halfway())?;
        equal(self.client.groups()?.contains(&group), true, "listed")?;
        self.client.delete_group(&group)?;
        equal(self.client.groups()?.contains(&group), false, "listed after its deletion")?;
        let none = PARTITIONS.map(|p| (p, -1)).into();
        equal(self.client.committed(&group, &topic)?, none, "offsets left")
    }

    fn messages_kept(&self) -> Outcome {
        for what in CODECS.into_iter().chain(["idempotent"]) {
            let topic = self.name(what);
            holds(&self.client.read_all(&topic)?, &self.messages(&topic))?;
        }
        let topic = self.name("resume");
        let mut read = self.client.read_all(&topic)?.into_values().collect::<Vec<_>>().concat();
        read.sort();
        equal(read, self.messages(&topic), "read")
    }

    fn work(&self, facts: &mut Facts) {
        facts.shown("topic", || self.topic());
        for codec in CODECS {
            let settings = &[("compression.type", codec), ("linger.ms", "50")];
            facts.shown(&format!("produce {codec}"), || self.produce(codec, settings));
        }
        facts.shown("partitioner", || self.partitioner());
        let settings = &[("enable.idempotence", "true"), ("compression.type", "lz4")];
        facts.shown("idempotent", || self.produce("idempotent", settings));
        facts.shown("headers", || self.headers());
        facts.shown("timestamp", || self.timestamp());
        if let Err(error) = self.group(facts) {
            facts.shown("group of two", || Err(error));
        }
        facts.shown("commit", || self.commit());
        facts.shown("resume", || self.resume());
        facts.shown("cooperative", || self.cooperative());
        facts.shown("static member", || self.static_member());
        facts.shown("lag", || self.lag());
        for what in ["reset offsets", "delete offsets", "remove members"] {
            absent(what, "its admin client has no such call");
        }
        facts.shown("delete group", || self.delete_group());
    }

    fn again(&self, facts: &mut Facts) {
        facts.shown("messages kept", || self.messages_kept());
        facts.shown("offsets kept", || self.offsets_kept());
        facts.shown("group resumes", || self.resume_again());
    }
}

/// Every message once, in the order of writing in each partition, each key in one partition.
fn holds(read: &BTreeMap<i32, Vec<Message>>, messages: &[Message]) -> Outcome {
    let mut homes = BTreeMap::new();
    let mut all = vec![];
    for (partition, part) in read {
        equal(part.is_sorted(), true, &format!("order in partition {partition}"))?;
        for key in part.iter().filter_map(|message| message.key.clone()) {
            equal(homes.entry(key.clone()).or_insert(*partition), &mut { *partition }, &key)?;
        }
        all.extend_from_slice(part);
    }
    all.sort();
    equal(all.as_slice(), messages, "read")
}

fn main() -> Outcome {
    let args: Vec<String> = std::env::args().collect();
    let [_, bootstrap, prefix, first_time, phase] = args.as_slice() else {
        return Err("ottla-test-rust BOOTSTRAP PREFIX TIME work|again".into());
    };
    println!("version 0.39.0, librdkafka {}", rdkafka::util::get_rdkafka_version().1);
    let scenario =
        Scenario { client: Client::new(bootstrap)?, prefix: prefix.clone(), first_time: first_time.parse()? };
    let mut facts = Facts::default();
    match phase.as_str() {
        "work" => scenario.work(&mut facts),
        _ => scenario.again(&mut facts),
    }
    std::process::exit(i32::from(facts.failed))
}
