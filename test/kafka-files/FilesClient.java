import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.CRC32C;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * FilesClient write BOOTSTRAP [without-transactions]: topics of every kind, the same each time.
 * FilesClient append BOOTSTRAP: a hundred records more in `plain`, by a producer of its own.
 * FilesClient read BOOTSTRAP: a line for each record of every topic, for each that a reader of what is committed sees
 * of `transactional`, and for each offset that the group committed.
 */
final class FilesClient {
  private static final List<String> GROUPS = List.of("readers", "classic", "modern");
  private static final int RECORDS = 6000;
  private final String bootstrap;

  private FilesClient(String bootstrap) {
    this.bootstrap = bootstrap;
  }

  public static void main(String[] args) throws Exception {
    FilesClient client = new FilesClient(args[1]);
    switch (args[0]) {
      case "write" -> client.write(args.length == 2);
      case "append" -> client.produce("plain", 100, 100, Map.of());
      default -> client.read();
    }
  }

  private Map<String, Object> common() {
    return new HashMap<>(Map.of("bootstrap.servers", bootstrap));
  }

  private void write(boolean withTransactions) throws Exception {
    try (Admin admin = Admin.create(common())) {
      String small = "1048576";
      admin.createTopics(List.of(
          new NewTopic("plain", 3, (short) 1).configs(Map.of("segment.bytes", small)),
          new NewTopic("squeezed", 1, (short) 1).configs(Map.of("retention.ms", "-1")),
          new NewTopic("timed", 1, (short) 1).configs(Map.of("message.timestamp.type", "LogAppendTime")),
          new NewTopic("trimmed", 1, (short) 1),
          new NewTopic("transactional", 1, (short) 1),
          new NewTopic("empty", 2, (short) 1),
          new NewTopic("compacted", 1, (short) 1).configs(Map.of("segment.bytes", small, "cleanup.policy", "compact",
              "min.cleanable.dirty.ratio", "0.01")))).all().get();
      produce("plain", RECORDS, 1000, Map.of());
      for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
        produce("squeezed", 500, 100, Map.of("compression.type", codec, "linger.ms", 5));
      }
      produce("timed", 500, 100, Map.of());
      produce("trimmed", 500, 100, Map.of("batch.size", 1000));
      produce("compacted", RECORDS, 1000, Map.of());
      if (withTransactions) transactions();
      admin.deleteRecords(Map.of(new TopicPartition("trimmed", 0), RecordsToDelete.beforeOffset(123))).all().get();
    }
    commit();
    subscribe("classic", "classic");
    if (withTransactions) subscribe("modern", "consumer");
  }

  private KafkaProducer<byte[], byte[]> producer(Map<String, Object> more) {
    Map<String, Object> config = common();
    config.putAll(more);
    return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
  }

  /** Of 50 keys; every 97th is a tombstone, every 10th has a header. */
  private void produce(String topic, int count, int bytes, Map<String, Object> config) {
    Random random = new Random(topic.hashCode());
    try (KafkaProducer<byte[], byte[]> producer = producer(config)) {
      for (int i = 0; i < count; i++) {
        byte[] value = null;
        if (i % 97 != 96) {
          value = new byte[random.nextInt(bytes) + 1];
          for (int at = 0; at < value.length; at++) value[at] = (byte) ('a' + random.nextInt(8));
        }
        byte[] key = ("key-" + i % 50).getBytes();
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, null, 1_700_000_000_000L + i * 1000L, key, value);
        if (topic.equals("plain")) record = new ProducerRecord<>(topic, i % 3, record.timestamp(), key, value);
        if (i % 10 == 0) record.headers().add("number", Integer.toString(i).getBytes());
        producer.send(record);
      }
    }
  }

  /** Every third one is aborted. */
  private void transactions() {
    try (KafkaProducer<byte[], byte[]> producer = producer(Map.of("transactional.id", "writer"))) {
      producer.initTransactions();
      for (int i = 0; i < 9; i++) {
        producer.beginTransaction();
        for (int j = 0; j < 5; j++) {
          producer.send(new ProducerRecord<>("transactional", 0, 1_700_000_000_000L, null, ("value " + i + "/" + j).getBytes()));
        }
        producer.flush();
        if (i % 3 == 2) producer.abortTransaction();
        else producer.commitTransaction();
      }
    }
  }

  private KafkaConsumer<byte[], byte[]> consumer(String group, Map<String, Object> more) {
    Map<String, Object> config = common();
    config.putAll(more);
    config.putAll(Map.of("group.id", group, "enable.auto.commit", false, "auto.offset.reset", "earliest", "max.poll.records", 5000));
    return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  private void commit() {
    try (KafkaConsumer<byte[], byte[]> consumer = consumer("readers", Map.of())) {
      Map<TopicPartition, OffsetAndMetadata> offsets = new LinkedHashMap<>();
      for (int round = 0; round < 20; round++) {
        for (int partition = 0; partition < 3; partition++) {
          offsets.put(new TopicPartition("plain", partition), new OffsetAndMetadata(round * 10 + partition, "round " + round));
        }
        consumer.commitSync(offsets);
      }
    }
  }

  /** Members of a group come and go. */
  private void subscribe(String group, String protocol) {
    for (int member = 0; member < 2; member++) {
      Map<String, Object> config = Map.of("group.protocol", protocol, "client.id", group + member);
      try (KafkaConsumer<byte[], byte[]> consumer = consumer(group, config)) {
        consumer.subscribe(List.of("squeezed", "timed"));
        long giveUp = System.nanoTime() + 30_000_000_000L;
        while (consumer.poll(Duration.ofMillis(100)).isEmpty()) {
          if (System.nanoTime() > giveUp && member == 0) throw new IllegalStateException(group + " reads nothing");
          if (member == 1 && !consumer.assignment().isEmpty()) break;
        }
        consumer.commitSync();
      }
    }
  }

  private void read() throws Exception {
    try (KafkaConsumer<byte[], byte[]> consumer = consumer("readers", Map.of()); Admin admin = Admin.create(common())) {
      List<TopicPartition> partitions = new ArrayList<>();
      consumer.listTopics().forEach((topic, found) -> found.forEach(each -> partitions.add(new TopicPartition(topic, each.partition()))));
      partitions.removeIf(each -> each.topic().startsWith("__"));
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      Map<TopicPartition, Long> begins = consumer.beginningOffsets(partitions);
      partitions.forEach(each -> System.out.println(each + " from " + begins.get(each) + " to " + ends.get(each)));
      long giveUp = System.nanoTime() + 60_000_000_000L;
      while (partitions.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
        if (System.nanoTime() > giveUp) throw new IllegalStateException("not all could be read");
        consumer.poll(Duration.ofMillis(200)).forEach(each -> print("", each));
      }
      readCommitted();
      for (String group : GROUPS) {
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((partition, committed) ->
            System.out.println(group + " committed " + partition + " " + committed.offset() + " " + committed.metadata()));
      }
    }
  }

  private void readCommitted() {
    List<TopicPartition> partitions = List.of(new TopicPartition("transactional", 0));
    try (KafkaConsumer<byte[], byte[]> consumer = consumer("readers", Map.of("isolation.level", "read_committed"))) {
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      long end = consumer.endOffsets(partitions).get(partitions.get(0));
      long giveUp = System.nanoTime() + 60_000_000_000L;
      while (consumer.position(partitions.get(0)) < end) {
        if (System.nanoTime() > giveUp) throw new IllegalStateException("not all that is committed could be read");
        consumer.poll(Duration.ofMillis(200)).forEach(each -> print("committed ", each));
      }
      System.out.println("committed up to " + end);
    }
  }

  private static void print(String kind, ConsumerRecord<byte[], byte[]> record) {
    StringBuilder line = new StringBuilder(kind);
    line.append(record.topic()).append('-').append(record.partition()).append(' ').append(record.offset());
    line.append(' ').append(record.timestampType()).append(' ').append(record.timestamp());
    line.append(' ').append(sum(record.key())).append(' ').append(sum(record.value()));
    record.headers().forEach(header -> line.append(' ').append(header.key()).append('=').append(sum(header.value())));
    System.out.println(line);
  }

  private static String sum(byte[] bytes) {
    if (bytes == null) return "null";
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    return bytes.length + ":" + Long.toHexString(crc.getValue());
  }
}
