import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A member of a group of the classic protocol, which polls in a thread of its own. */
final class Member implements ConsumerRebalanceListener, AutoCloseable {
  final String topic;
  private final KafkaConsumer<byte[], byte[]> consumer;
  private final Thread thread;
  private final BlockingQueue<Runnable> commands = new LinkedBlockingQueue<>();
  private boolean closing = false;
  // What follows is shared with the thread and guarded by this.
  private final List<Integer> assigned = new ArrayList<>();
  private final List<Integer> lost = new ArrayList<>();
  private final List<ConsumerRecord<byte[], byte[]>> read = new ArrayList<>();
  private RuntimeException trouble;

  Member(String bootstrap, String group, String topic, Map<String, Object> settings) {
    this.topic = topic;
    Map<String, Object> all = new HashMap<>(Map.of("bootstrap.servers", bootstrap,
        "group.id", group, "group.protocol", "classic", "client.id", "java-member",
        "auto.offset.reset", "earliest", "enable.auto.commit", "false",
        "heartbeat.interval.ms", "200", "session.timeout.ms", "6000",
        "fetch.max.wait.ms", "200"));
    all.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor");
    all.putAll(settings);
    consumer = new KafkaConsumer<>(all, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    thread = new Thread(this::poll, "member of " + group);
    thread.setDaemon(true);
    thread.start();
  }

  private void poll() {
    try (consumer) {
      consumer.subscribe(List.of(topic), this);
      while (true) {
        Runnable command = commands.poll();
        if (command != null) command.run();
        if (closing) return;
        var records = consumer.poll(Duration.ofMillis(50));
        synchronized (this) {
          records.forEach(read::add);
        }
      }
    } catch (RuntimeException error) {
      synchronized (this) {
        trouble = error;
      }
    }
  }

  @Override
  public synchronized void onPartitionsAssigned(Collection<TopicPartition> partitions) {
    for (TopicPartition partition : partitions) assigned.add(partition.partition());
  }

  @Override
  public synchronized void onPartitionsRevoked(Collection<TopicPartition> partitions) {
    for (TopicPartition partition : partitions) {
      assigned.remove((Integer) partition.partition());
      lost.add(partition.partition());
    }
  }

  synchronized List<Integer> assigned() {
    return assigned.stream().sorted().toList();
  }

  /** Every partition that was ever taken from it. */
  synchronized List<Integer> lost() {
    return List.copyOf(lost);
  }

  synchronized List<ConsumerRecord<byte[], byte[]>> read() {
    return List.copyOf(read);
  }

  /** What ended it by itself: null when nothing did. */
  synchronized RuntimeException trouble() {
    return trouble;
  }

  /** The offset of the first record it read of each partition. */
  Map<Integer, Long> starts() {
    Map<Integer, Long> starts = new TreeMap<>();
    for (var record : read()) starts.putIfAbsent(record.partition(), record.offset());
    return starts;
  }

  /** How often each value was read. */
  Map<String, Integer> values() {
    Map<String, Integer> values = new TreeMap<>();
    for (var record : read()) values.merge(new String(record.value(), UTF_8), 1, Integer::sum);
    return values;
  }

  /** Runs something with the consumer in its own thread, and waits for it. */
  void with(Consumer<KafkaConsumer<byte[], byte[]>> work) throws Exception {
    CompletableFuture<Void> done = new CompletableFuture<>();
    commands.add(() -> {
      try {
        work.accept(consumer);
        done.complete(null);
      } catch (RuntimeException error) {
        done.completeExceptionally(error);
      }
    });
    done.get(20, TimeUnit.SECONDS);
  }

  void commit(Map<Integer, Long> offsets) throws Exception {
    Map<TopicPartition, OffsetAndMetadata> all = new HashMap<>();
    offsets.forEach((partition, offset) ->
        all.put(new TopicPartition(topic, partition), new OffsetAndMetadata(offset, "by member")));
    with(consumer -> consumer.commitSync(all));
  }

  /** Leaves the group, unless it is a static member. A second time it does nothing. */
  @Override
  public void close() {
    commands.add(() -> closing = true);
    try {
      thread.join(20_000);
    } catch (InterruptedException error) {
      throw new AssertionError(error);
    }
    if (thread.isAlive()) throw new AssertionError("the member does not close");
  }
}
