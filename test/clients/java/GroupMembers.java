import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Members of groups, each in a thread of its own: GroupMembers BOOTSTRAP TOPIC, see test/groups/events.ts. */
final class GroupMembers {
  static final long COMMIT_EVERY_NANOS = 1_000_000_000;
  static final Map<String, String> ASSIGNORS = Map.of("range", "RangeAssignor", "roundrobin",
      "RoundRobinAssignor", "sticky", "StickyAssignor", "cooperative-sticky",
      "CooperativeStickyAssignor");
  static final String ASSIGNOR = System.getenv().getOrDefault("ASSIGNOR", "range");

  public static void main(String[] args) throws Exception {
    Map<String, GroupMember> members = new HashMap<>();
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      String[] words = line.split(" ");
      if (words[0].equals("start")) {
        GroupMember member = new GroupMember(args[0], args[1], words[1], words[2]);
        members.put(words[1], member);
        new Thread(member, words[1]).start();
      } else if (words[0].equals("leave")) {
        members.remove(words[1]).closing = true;
      }
    }
    members.values().forEach(member -> member.closing = true);
  }

  static final class GroupMember implements Runnable, ConsumerRebalanceListener {
    final String topic;
    final String name;
    final KafkaConsumer<byte[], byte[]> consumer;
    /** Of partitions: what is read but not committed yet. */
    final Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
    volatile boolean closing = false;
    long committedAt = System.nanoTime();

    GroupMember(String bootstrap, String topic, String name, String group) {
      this.topic = topic;
      this.name = name;
      Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", bootstrap,
          "client.id", name, "group.id", group, "group.protocol", "classic",
          "auto.offset.reset", "earliest", "enable.auto.commit", "false",
          "heartbeat.interval.ms", "500", "session.timeout.ms", "6000",
          "max.poll.interval.ms", "10000", "reconnect.backoff.max.ms", "500"));
      settings.put("partition.assignment.strategy",
          "org.apache.kafka.clients.consumer." + ASSIGNORS.get(ASSIGNOR));
      consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(),
          new ByteArrayDeserializer());
    }

    @Override
    public void run() {
      try (consumer) {
        consumer.subscribe(List.of(topic), this);
        while (!closing) {
          read(consumer.poll(Duration.ofMillis(200)));
          if (System.nanoTime() - committedAt >= COMMIT_EVERY_NANOS) commit();
        }
      } catch (RuntimeException error) {
        say("failed", ",\"why\":" + quoted(error.toString()));
        return;
      }
      say("left", "");
    }

    void read(ConsumerRecords<byte[], byte[]> found) {
      for (TopicPartition partition : found.partitions()) {
        List<ConsumerRecord<byte[], byte[]>> records = found.records(partition);
        String pairs = records.stream()
            .map(record -> "[" + record.offset() + "," + new String(record.value(), UTF_8) + "]")
            .collect(Collectors.joining(","));
        say("read", ",\"partition\":" + partition.partition() + ",\"records\":[" + pairs + "]");
        positions.put(partition, new OffsetAndMetadata(records.get(records.size() - 1).offset() + 1));
      }
    }

    void commit() {
      committedAt = System.nanoTime();
      if (positions.isEmpty()) return;
      int before = consumer.groupMetadata().generationId();
      try {
        consumer.commitSync(positions, Duration.ofSeconds(8));
      } catch (KafkaException error) {
        say("refused", ",\"why\":" + quoted(error.toString()));
        return;
      }
      int after = consumer.groupMetadata().generationId();
      String pairs = positions.entrySet().stream()
          .map(each -> "[" + each.getKey().partition() + "," + each.getValue().offset() + "]")
          .collect(Collectors.joining(","));
      say("committed", identity(before == after ? after : -1) + ",\"offsets\":[" + pairs + "]");
      positions.clear();
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> added) {
      int generation = consumer.groupMetadata().generationId();
      say("joined", identity(generation) + numbers(consumer.assignment()));
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      commit();
      onPartitionsLost(partitions);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
      positions.keySet().removeAll(partitions);
      say("revoked", numbers(partitions));
    }

    static String numbers(Collection<TopicPartition> partitions) {
      return partitions.stream().map(each -> "" + each.partition())
          .collect(Collectors.joining(",", ",\"partitions\":[", "]"));
    }

    String identity(int generation) {
      return ",\"generation\":" + generation + ",\"id\":" + quoted(consumer.groupMetadata().memberId());
    }

    void say(String event, String more) {
      String line = "{\"at\":" + System.currentTimeMillis() + ",\"member\":" + quoted(name)
          + ",\"event\":" + quoted(event) + more + "}";
      synchronized (System.out) {
        System.out.println(line);
        System.out.flush();
      }
    }
  }

  static String quoted(String text) {
    return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"").replaceAll("\\p{Cntrl}", " ") + "\"";
  }
}
