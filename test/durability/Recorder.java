import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Recorder BOOTSTRAP COUNT: produces COUNT numbered messages of 1 KB into one partition, with the
 * settings of Kafka's producer-performance tool (idempotent, acks=all) and the patience to live
 * through restarts, and records which offset each number was acknowledged at. run.ts kills the
 * broker meanwhile and, by a line on our input, says when to read everything back.
 */
final class Recorder {
  static final int VALUE_BYTES = 1000;
  static final String TOPIC = "durability";
  static final TopicPartition PARTITION = new TopicPartition(TOPIC, 0);
  static final Duration READ_LIMIT = Duration.ofMinutes(3);

  /** By number: the acknowledged offset; -1 while there is none. */
  static long[] offsets;
  static final AtomicLong acknowledged = new AtomicLong();
  static final AtomicLong refused = new AtomicLong();
  static final AtomicLong slowestNanos = new AtomicLong();
  static volatile String firstRefusal;

  public static void main(String[] args) throws Exception {
    String bootstrap = args[0];
    offsets = new long[Integer.parseInt(args[1])];
    Arrays.fill(offsets, -1);
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      admin.createTopics(List.of(new NewTopic(TOPIC, 1, (short) 1))).all().get();
    }
    long started = System.nanoTime();
    produce(bootstrap);
    double seconds = (System.nanoTime() - started) / 1e9;
    System.out.printf("produced %d acknowledged, %d refused, in %.1f s, slowest acknowledgement %.0f ms%n",
        acknowledged.get(), refused.get(), seconds, slowestNanos.get() / 1e6);
    if (firstRefusal != null) System.out.println("refusal " + firstRefusal);
    System.out.flush();
    new BufferedReader(new InputStreamReader(System.in, UTF_8)).readLine();
    System.exit(readBack(bootstrap) ? 0 : 1);
  }

  static void produce(String bootstrap) {
    Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap,
        "enable.idempotence", "true", "acks", "all",
        "delivery.timeout.ms", "600000", "max.block.ms", "600000",
        "reconnect.backoff.max.ms", "100", "retry.backoff.ms", "20");
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
      for (int number = 0; number < offsets.length; number++) {
        int sent = number;
        long sentAt = System.nanoTime();
        producer.send(new ProducerRecord<>(TOPIC, 0, null, value(number)), (metadata, error) -> {
          if (error != null) {
            refused.incrementAndGet();
            if (firstRefusal == null) firstRefusal = "of number " + sent + ": " + error;
            return;
          }
          offsets[sent] = metadata.offset();
          slowestNanos.accumulateAndGet(System.nanoTime() - sentAt, Math::max);
          long count = acknowledged.incrementAndGet();
          if (count % 500 == 0) {
            System.out.println("acknowledged " + count);
            System.out.flush();
          }
        });
      }
    }
  }

  /** The number, then bytes that follow from it. */
  static byte[] value(long number) {
    ByteBuffer value = ByteBuffer.allocate(VALUE_BYTES).putLong(number);
    SplittableRandom random = new SplittableRandom(number);
    while (value.remaining() >= Long.BYTES) value.putLong(random.nextLong());
    return value.array();
  }

  /** Every offset once, every number where it was acknowledged, in the order of sending. */
  static boolean readBack(String bootstrap) {
    long read = 0, wrongOffset = 0, again = 0, outOfOrder = 0, corrupt = 0;
    long last = -1;
    long[] foundAt = new long[offsets.length];
    Arrays.fill(foundAt, -1);
    long started = System.nanoTime();
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
        Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "none",
            "enable.auto.commit", "false"),
        new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.assign(List.of(PARTITION));
      consumer.seek(PARTITION, 0);
      long end = consumer.endOffsets(List.of(PARTITION)).get(PARTITION);
      while (consumer.position(PARTITION) < end) {
        if (System.nanoTime() - started > READ_LIMIT.toNanos()) {
          System.out.println("stuck reading at offset " + consumer.position(PARTITION));
          return false;
        }
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
          long number = ByteBuffer.wrap(record.value()).getLong();
          if (record.offset() != read) wrongOffset++;
          if (number < 0 || number >= offsets.length
              || !Arrays.equals(record.value(), value(number))) {
            corrupt++;
          } else {
            if (foundAt[(int) number] >= 0) again++;
            foundAt[(int) number] = record.offset();
          }
          if (number <= last) outOfOrder++;
          last = number;
          read++;
        }
      }
    }
    long lost = 0, elsewhere = 0;
    for (int number = 0; number < offsets.length; number++) {
      if (offsets[number] < 0) continue;
      if (foundAt[number] < 0) lost++;
      else if (foundAt[number] != offsets[number]) elsewhere++;
    }
    System.out.printf("read %d in %.1f s: %d acknowledged ones lost, %d read again, %d out of order, "
        + "%d not at the acknowledged offset, %d gaps in offsets, %d corrupt%n",
        read, (System.nanoTime() - started) / 1e9, lost, again, outOfOrder, elsewhere, wrongOffset,
        corrupt);
    return read == offsets.length && refused.get() == 0
        && lost + again + outOfOrder + elsewhere + wrongOffset + corrupt == 0;
  }

  private Recorder() {}
}
