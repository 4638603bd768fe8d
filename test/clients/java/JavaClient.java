import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The Java client: JavaClient BOOTSTRAP PREFIX TIME work|again
 *
 * "work" produces, reads everything back, and tries groups and the admin client; "again" looks for
 * what "work" left there. Here partitions are assigned by hand; groups are in Groups. TIME is the timestamp of the first message, in milliseconds.
 */
final class JavaClient {
  static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
  static final List<String> ACKS = List.of("0", "1", "all");
  static final int COUNT = 2000;
  static final Duration WAIT = Duration.ofSeconds(20);

  /** One message as it is sent and as it is to come back. */
  record Message(String key, String value, long timestamp, String header) {}

  static String bootstrap;
  static String prefix;
  static long firstTimestamp;
  static Admin admin;

  public static void main(String[] args) throws IOException {
    bootstrap = args[0];
    prefix = args[1];
    firstTimestamp = Long.parseLong(args[2]);
    Properties version = new Properties();
    version.load(Admin.class.getResourceAsStream("/kafka/kafka-version.properties"));
    Shown.version(version.getProperty("version"));
    Shown.runtime("Java " + System.getProperty("java.version"));
    try (Admin opened = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      admin = opened;
      if (args[3].equals("work")) work();
      else again();
    }
    System.exit(Shown.failed ? 1 : 0);
  }

  static void work() {
    Shown.shown("topic", JavaClient::createTopic);
    for (String codec : CODECS) {
      Shown.shown("produce " + codec,
          () -> produceAndReadBack(codec, Map.of("compression.type", codec, "batch.size", "8192")));
    }
    for (String acks : ACKS) {
      Shown.shown("acks=" + acks, () -> produceAndReadBack("acks-" + acks,
          Map.of("acks", acks, "enable.idempotence", "false")));
    }
    Shown.shown("idempotent", () -> produceAndReadBack(
        "idempotent", Map.of("enable.idempotence", "true", "batch.size", "1024")));
    Shown.shown("timestamp", JavaClient::consumeFrom);
    Shown.shown("partitioner", JavaClient::partitions);
    Shown.shown("a message of 1,000,000 bytes; one over max.message.bytes is refused",
        JavaClient::sizes);
    Shown.shown("list and describe topics, describe the cluster", JavaClient::describe);
    Shown.shown("list offsets: earliest, latest, by timestamp, max timestamp",
        JavaClient::listOffsets);
    Shown.shown("describe and alter configs of topics and the broker", JavaClient::configs);
    Shown.shown("create partitions, delete records, describe log dirs", JavaClient::alter);
    Shown.shown("delete topics; they are gone when answered", JavaClient::delete);
    Shown.shown("headers", JavaClient::headers);
    new Groups(bootstrap, admin).work();
  }

  static void again() {
    Shown.shown("messages kept", () -> {
      List<String> names = new ArrayList<>(CODECS);
      for (String acks : ACKS) names.add("acks-" + acks);
      names.add("idempotent");
      for (String name : names) holds(topic(name), messages(topic(name), COUNT));
    });
    Shown.shown("deleted records, new partitions and configs are still so", () -> {
      String topic = topic("altered");
      TopicPartition first = new TopicPartition(topic, 0);
      Shown.same(150L, offset(first, OffsetSpec.earliest()), "log start");
      Shown.same(4, describe(topic).partitions().size(), "partitions");
      Shown.same("86400001", config(topicResource(topic), "retention.ms"), "retention.ms");
    });
    Shown.shown("an idempotent producer appends", () -> {
      String topic = topic("none");
      produce(topic, messages(topic, COUNT), Map.of());
      List<Message> twice = new ArrayList<>(messages(topic, COUNT));
      twice.addAll(messages(topic, COUNT));
      holds(topic, twice);
    });
    new Groups(bootstrap, admin).again();
  }

  // ── Messages ───────────────────────────────────────────────────────────────────────────────

  /** The same messages for the same topic in every run: every third without a key. */
  static List<Message> messages(String topic, int count) {
    List<Message> messages = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String key = i % 3 == 0 ? null : "key-" + i % 11;
      String value = topic + " message " + i + " " + "é.".repeat(i % 40);
      messages.add(new Message(key, value, firstTimestamp + i * 1000L, "trace-" + i));
    }
    return messages;
  }

  static void produceAndReadBack(String name, Map<String, Object> settings) throws Exception {
    String topic = topic(name);
    create(topic, 1);
    List<Message> messages = messages(topic, COUNT);
    List<RecordMetadata> acknowledged = produce(topic, messages, settings);
    if ("0".equals(settings.get("acks"))) { // nobody says when the broker has them
      TopicPartition partition = new TopicPartition(topic, 0);
      Groups.until(() -> {
        try {
          return offset(partition, OffsetSpec.latest());
        } catch (Exception error) {
          throw new AssertionError(error);
        }
      }, (long) COUNT, "end of " + topic);
    } else {
      for (int i = 0; i < COUNT; i++) {
        Shown.same((long) i, acknowledged.get(i).offset(), "acknowledged offset of message " + i);
      }
    }
    holds(topic, messages);
  }

  static List<RecordMetadata> produce(
      String topic, List<Message> messages, Map<String, Object> settings) throws Exception {
    List<RecordMetadata> acknowledged = new ArrayList<>();
    try (KafkaProducer<byte[], byte[]> producer = producer(settings)) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (Message message : messages) sent.add(producer.send(record(topic, message)));
      producer.flush();
      for (Future<RecordMetadata> future : sent) acknowledged.add(future.get());
    }
    return acknowledged;
  }

  static KafkaProducer<byte[], byte[]> producer(Map<String, Object> settings) {
    Map<String, Object> all = new TreeMap<>(settings);
    all.put("bootstrap.servers", bootstrap);
    all.put("request.timeout.ms", "15000");
    all.put("delivery.timeout.ms", "30000");
    return new KafkaProducer<>(all, new ByteArraySerializer(), new ByteArraySerializer());
  }

  static ProducerRecord<byte[], byte[]> record(String topic, Message message) {
    return new ProducerRecord<>(topic, null, message.timestamp(),
        message.key() == null ? null : message.key().getBytes(UTF_8),
        message.value().getBytes(UTF_8),
        List.of(new RecordHeader("trace", message.header().getBytes(UTF_8))));
  }

  /** Message i goes to partition i % partitions. */
  static void sendInTurn(String topic, List<Message> messages, int partitions) throws Exception {
    try (KafkaProducer<byte[], byte[]> producer = producer(Map.of())) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (int i = 0; i < messages.size(); i++) {
        ProducerRecord<byte[], byte[]> chosen = record(topic, messages.get(i));
        sent.add(producer.send(new ProducerRecord<>(topic, i % partitions, chosen.timestamp(),
            chosen.key(), chosen.value(), chosen.headers())));
      }
      producer.flush();
      for (Future<RecordMetadata> future : sent) future.get();
    }
  }

  static Message message(ConsumerRecord<byte[], byte[]> record) {
    return new Message(record.key() == null ? null : new String(record.key(), UTF_8),
        new String(record.value(), UTF_8), record.timestamp(),
        new String(record.headers().lastHeader("trace").value(), UTF_8));
  }

  static KafkaConsumer<byte[], byte[]> consumer() {
    return new KafkaConsumer<>(Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "none",
        "enable.auto.commit", "false", "allow.auto.create.topics", "false"),
        new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  /** All records from an offset to the end that the broker names; fails when they do not come. */
  static List<ConsumerRecord<byte[], byte[]>> read(TopicPartition partition, long from) {
    List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
    try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
      consumer.assign(List.of(partition));
      consumer.seek(partition, from);
      long end = consumer.endOffsets(List.of(partition)).get(partition);
      long deadline = System.nanoTime() + WAIT.toNanos();
      while (consumer.position(partition) < end) {
        if (System.nanoTime() > deadline) {
          throw new AssertionError("only " + records.size() + " records of " + partition + " came");
        }
        consumer.poll(Duration.ofMillis(100)).forEach(records::add);
      }
    }
    return records;
  }

  static void holds(String topic, List<Message> expected) {
    List<ConsumerRecord<byte[], byte[]>> records = read(new TopicPartition(topic, 0), 0);
    holds(topic, records, expected, 0);
  }

  static void holds(String topic, List<ConsumerRecord<byte[], byte[]>> records,
      List<Message> expected, long firstOffset) {
    Shown.same(expected.size(), records.size(), "records of " + topic);
    for (int i = 0; i < records.size(); i++) {
      Shown.same(firstOffset + i, records.get(i).offset(), "offset in " + topic);
      Shown.same(expected.get(i), message(records.get(i)), "message at " + topic + "@" + i);
    }
  }

  static void consumeFrom() {
    String topic = topic("lz4");
    List<Message> messages = messages(topic, COUNT);
    TopicPartition partition = new TopicPartition(topic, 0);
    holds(topic, read(partition, 777), messages.subList(777, COUNT), 777);
    try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
      consumer.assign(List.of(partition));
      long wanted = firstTimestamp + 1233 * 1000L + 1;
      OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(partition, wanted)).get(partition);
      Shown.same(1234L, found.offset(), "offset for a timestamp between two records");
      Shown.same(firstTimestamp + 1234 * 1000L, found.timestamp(), "its timestamp");
      holds(topic, read(partition, found.offset()), messages.subList(1234, COUNT), 1234);
      long beyond = firstTimestamp + COUNT * 1000L;
      Shown.same(null, consumer.offsetsForTimes(Map.of(partition, beyond)).get(partition),
          "offset for a timestamp after the last record");
      Shown.same(0L, consumer.beginningOffsets(List.of(partition)).get(partition), "beginning");
      Shown.same((long) COUNT, consumer.endOffsets(List.of(partition)).get(partition), "end");
    }
  }

  static void createTopic() throws Exception {
    String topic = topic("three");
    create(topic, 3);
    soon(() -> Shown.same(3, describe(topic).partitions().size(), "partitions"));
    refused(TopicExistsException.class, () -> create(topic, 3));
  }

  static void headers() throws Exception {
    String topic = topic("headers");
    create(topic, 1);
    List<Header> headers = List.of(new RecordHeader("trace", new byte[] {0, -1}),
        new RecordHeader("trace", new byte[0]), new RecordHeader("nothing", (byte[]) null));
    try (KafkaProducer<byte[], byte[]> producer = producer(Map.of())) {
      producer.send(new ProducerRecord<>(topic, null, "deleted".getBytes(UTF_8), null, headers)).get();
    }
    ConsumerRecord<byte[], byte[]> record = read(new TopicPartition(topic, 0), 0).get(0);
    Shown.same(null, record.value(), "value");
    Shown.same(headers, List.of(record.headers().toArray()), "headers");
  }

  /** The partitions of key-0 … key-9 among three: what murmur2 gives, in every client that has it. */
  static final List<Integer> HOMES = List.of(1, 0, 2, 2, 0, 2, 2, 1, 1, 0);

  static void partitions() throws Exception {
    String few = topic("partitioner");
    create(few, 3);
    List<Message> keyed = new ArrayList<>();
    for (int i = 0; i < HOMES.size(); i++) {
      keyed.add(new Message("key-" + i, "value " + i, firstTimestamp, "trace-" + i));
    }
    Shown.same(HOMES, produce(few, keyed, Map.of()).stream().map(RecordMetadata::partition).toList(),
        "partitions of the keys");
    String topic = topic("partitions");
    create(topic, 5);
    List<Message> messages = messages(topic, COUNT);
    List<RecordMetadata> acknowledged = produce(topic, messages, Map.of());
    Map<String, Integer> home = new TreeMap<>();
    Map<Integer, List<Message>> expected = new TreeMap<>();
    for (int i = 0; i < COUNT; i++) {
      Message message = messages.get(i);
      int partition = acknowledged.get(i).partition();
      expected.computeIfAbsent(partition, p -> new ArrayList<>()).add(message);
      if (message.key() != null) {
        Integer before = home.put(message.key(), partition);
        Shown.same(before == null ? partition : before, partition, "home of " + message.key());
      }
    }
    for (var entry : expected.entrySet()) {
      TopicPartition partition = new TopicPartition(topic, entry.getKey());
      holds(topic, read(partition, 0), entry.getValue(), 0);
    }
  }

  static void sizes() throws Exception {
    String topic = topic("sizes");
    create(topic, 1);
    Map<String, Object> settings = Map.of("max.request.size", "10000000");
    Message big = new Message("big", "x".repeat(1_000_000), firstTimestamp, "big");
    produce(topic, List.of(big), settings);
    refused(org.apache.kafka.common.errors.RecordTooLargeException.class, () -> produce(topic,
        List.of(new Message("huge", "x".repeat(2_000_000), firstTimestamp, "huge")), settings));
    holds(topic, List.of(big));
  }

  // ── Admin ──────────────────────────────────────────────────────────────────────────────────

  static <T> T get(KafkaFuture<T> future) throws Exception {
    return future.get(WAIT.toSeconds(), TimeUnit.SECONDS);
  }

  static void refused(Class<? extends Exception> error, Shown.Check check) throws Exception {
    try {
      check.run();
    } catch (ExecutionException thrown) {
      if (error.isInstance(thrown.getCause())) return;
      throw thrown;
    }
    throw new AssertionError("not refused with " + error.getSimpleName());
  }

  static String topic(String name) {
    return prefix + "-java-" + name;
  }

  static ConfigResource topicResource(String topic) {
    return new ConfigResource(ConfigResource.Type.TOPIC, topic);
  }

  static void create(String topic, int partitions) throws Exception {
    get(admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all());
    if (System.getenv("BOOTSTRAP") == null) return;
    for (int i = 0; i < partitions; i++) { // Apache Kafka has no leaders yet when it answers
      TopicPartition partition = new TopicPartition(topic, i);
      soon(() -> Shown.same(0L, offset(partition, OffsetSpec.latest()), "end when new"));
    }
  }

  static TopicDescription describe(String topic) throws Exception {
    return get(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
  }

  static long offset(TopicPartition partition, OffsetSpec spec) throws Exception {
    return get(admin.listOffsets(Map.of(partition, spec)).partitionResult(partition)).offset();
  }

  static String config(ConfigResource resource, String key) throws Exception {
    Config config = get(admin.describeConfigs(List.of(resource)).all()).get(resource);
    return config.get(key) == null ? null : config.get(key).value();
  }

  static void alterConfig(ConfigResource resource, String key, String value) throws Exception {
    AlterConfigOp.OpType type =
        value == null ? AlterConfigOp.OpType.DELETE : AlterConfigOp.OpType.SET;
    AlterConfigOp op = new AlterConfigOp(new ConfigEntry(key, value), type);
    get(admin.incrementalAlterConfigs(Map.of(resource, List.of(op))).all());
  }

  /** The reference broker applies some changes a moment after it answered; Ottla at once. */
  static void soon(Shown.Check check) throws Exception {
    long deadline = System.nanoTime() + Duration.ofSeconds(5).toNanos();
    while (true) {
      try {
        check.run();
        return;
      } catch (AssertionError | ExecutionException error) {
        if (System.getenv("BOOTSTRAP") == null || System.nanoTime() > deadline) throw error;
        Thread.sleep(50);
      }
    }
  }

  static void describe() throws Exception {
    Set<String> names = get(admin.listTopics().names());
    for (String codec : CODECS) {
      if (!names.contains(topic(codec))) throw new AssertionError(topic(codec) + " is not listed");
    }
    TopicDescription five = describe(topic("partitions"));
    Shown.same(5, five.partitions().size(), "partitions");
    var nodes = get(admin.describeCluster().nodes());
    Shown.same(1, nodes.size(), "brokers");
    int id = nodes.iterator().next().id();
    Shown.same(id, get(admin.describeCluster().controller()).id(), "controller");
    if (get(admin.describeCluster().clusterId()).isEmpty()) throw new AssertionError("cluster id");
    for (var partition : five.partitions()) {
      Shown.same(id, partition.leader().id(), "leader");
      Shown.same(List.of(partition.leader()), partition.isr(), "isr");
    }
    var byId = get(admin.describeTopics(
        org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(five.topicId()))).allTopicIds());
    Shown.same(five.name(), byId.get(five.topicId()).name(), "topic by id");
    refused(UnknownTopicOrPartitionException.class, () -> describe(topic("absent")));
    refused(TopicExistsException.class, () -> create(topic("none"), 1));
  }

  static void listOffsets() throws Exception {
    String topic = topic("gzip");
    TopicPartition partition = new TopicPartition(topic, 0);
    Shown.same(0L, offset(partition, OffsetSpec.earliest()), "earliest");
    Shown.same((long) COUNT, offset(partition, OffsetSpec.latest()), "latest");
    Shown.same(500L, offset(partition, OffsetSpec.forTimestamp(firstTimestamp + 500_000)), "time");
    Shown.same(COUNT - 1L, offset(partition, OffsetSpec.maxTimestamp()), "max timestamp");
    Message late = new Message("late", "late", firstTimestamp + 3_000_000, "late");
    Message early = new Message("early", "early", firstTimestamp, "early");
    create(topic("max-timestamp"), 1);
    produce(topic("max-timestamp"), List.of(early, late, early), Map.of());
    Shown.same(1L, offset(new TopicPartition(topic("max-timestamp"), 0), OffsetSpec.maxTimestamp()),
        "max timestamp in the middle");
  }

  static void configs() throws Exception {
    String topic = topic("configs");
    NewTopic withConfigs = new NewTopic(topic, 1, (short) 1)
        .configs(Map.of("segment.bytes", "2097152"));
    get(admin.createTopics(List.of(withConfigs)).all());
    ConfigResource resource = topicResource(topic);
    Shown.same("2097152", config(resource, "segment.bytes"), "segment.bytes");
    Shown.same("604800000", config(resource, "retention.ms"), "default of retention.ms");
    alterConfig(resource, "retention.ms", "86400001");
    soon(() -> Shown.same("86400001", config(resource, "retention.ms"), "retention.ms"));
    alterConfig(resource, "retention.ms", null);
    soon(() -> Shown.same("604800000", config(resource, "retention.ms"), "deleted retention.ms"));
    refused(InvalidConfigurationException.class,
        () -> alterConfig(resource, "retention.ms", "soon"));
    int id = get(admin.describeCluster().nodes()).iterator().next().id();
    ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "" + id);
    Shown.same("true", config(broker, "auto.create.topics.enable"), "auto.create.topics.enable");
    alterConfig(broker, "log.retention.ms", "77777777");
    soon(() -> Shown.same("77777777", config(resource, "retention.ms"), "retention.ms by broker"));
    alterConfig(broker, "log.retention.ms", null);
  }

  static void alter() throws Exception {
    String topic = topic("altered");
    create(topic, 1);
    List<Message> messages = messages(topic, COUNT);
    produce(topic, messages, Map.of());
    TopicPartition first = new TopicPartition(topic, 0);
    get(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all());
    soon(() -> Shown.same(4, describe(topic).partitions().size(), "partitions"));
    alterConfig(topicResource(topic), "retention.ms", "86400001");
    var deleted = admin.deleteRecords(Map.of(first, RecordsToDelete.beforeOffset(150)));
    Shown.same(150L, get(deleted.lowWatermarks().get(first)).lowWatermark(), "low watermark");
    Shown.same(150L, offset(first, OffsetSpec.earliest()), "log start");
    holds(topic, read(first, 150), messages.subList(150, COUNT), 150);
    int id = get(admin.describeCluster().nodes()).iterator().next().id();
    var directories = get(admin.describeLogDirs(List.of(id)).allDescriptions()).get(id);
    long size = 0;
    for (LogDirDescription directory : directories.values()) {
      var replica = directory.replicaInfos().get(first);
      if (replica != null) size += replica.size();
    }
    if (size < 50_000) throw new AssertionError("size of the replica: " + size);
  }

  static void delete() throws Exception {
    String topic = topic("deleted");
    create(topic, 3);
    get(admin.deleteTopics(List.of(topic)).all());
    soon(() -> Shown.same(false, get(admin.listTopics().names()).contains(topic), "listed"));
    refused(UnknownTopicOrPartitionException.class,
        () -> get(admin.deleteTopics(List.of(topic)).all()));
    create(topic, 1);
    produce(topic, messages(topic, 10), Map.of());
    holds(topic, messages(topic, 10));
  }

  private JavaClient() {}
}
