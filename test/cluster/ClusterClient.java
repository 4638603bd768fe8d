import java.io.IOException;
import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Writes or reads numbered messages with the Java client, see clients.ts:
 * ClusterClient feed|read NAME BOOTSTRAP TOPIC PARTITIONS RATE [PATIENCE-MS]
 */
final class ClusterClient {
  static final PrintStream out = System.out;
  static volatile boolean isStopping;

  public static void main(String[] args) throws Exception {
    Thread listener = new Thread(ClusterClient::listen);
    listener.setDaemon(true);
    listener.start();
    int partitions = Integer.parseInt(args[4]);
    String patience = args.length > 6 ? args[6] : "600000";
    if (args[0].equals("feed")) {
      feed(args[1], args[2], args[3], partitions, Integer.parseInt(args[5]), patience);
    } else {
      read(args[1], args[2], args[3], partitions);
    }
    out.flush();
    System.exit(0);
  }

  static void listen() {
    try {
      while (System.in.read() >= 0) {}
    } catch (IOException gone) {
      // Then nobody is there who wants more.
    }
    isStopping = true;
  }

  static void feed(String name, String bootstrap, String topic, int partitions, int rate,
      String patience) throws InterruptedException {
    Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "client.id", name,
        "enable.idempotence", "true", "acks", "all", "linger.ms", "5",
        "delivery.timeout.ms", patience, "request.timeout.ms", "5000",
        "max.block.ms", patience, "reconnect.backoff.max.ms", "500");
    int[] numbers = new int[partitions];
    long sent = 0;
    try (KafkaProducer<String, String> producer =
        new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
      long started = System.nanoTime();
      while (!isStopping) {
        long due = (System.nanoTime() - started) * rate / 1_000_000_000L;
        for (; sent < due && !isStopping; sent++) {
          int partition = (int) (sent % partitions);
          int number = numbers[partition]++;
          send(producer, topic, partition, number, name + ":" + number);
        }
        Thread.sleep(5);
      }
    }
    out.println("end " + sent + " 0");
  }

  static void send(KafkaProducer<String, String> producer, String topic, int partition, int number,
      String value) {
    producer.send(new ProducerRecord<>(topic, partition, null, value), (metadata, error) -> {
      if (error == null) {
        out.println("ack " + partition + " " + number + " " + metadata.offset());
      } else {
        out.println("failed " + partition + " " + number + " " + error);
      }
    });
  }

  static void read(String name, String bootstrap, String topic, int partitions) {
    Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "client.id", name,
        "auto.offset.reset", "none", "enable.auto.commit", "false", "fetch.max.wait.ms", "200",
        "request.timeout.ms", "5000", "default.api.timeout.ms", "600000",
        "reconnect.backoff.max.ms", "500");
    List<TopicPartition> all = IntStream.range(0, partitions)
        .mapToObj(partition -> new TopicPartition(topic, partition)).toList();
    try (KafkaConsumer<String, String> consumer =
        new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
      consumer.assign(all);
      all.forEach(partition -> consumer.seek(partition, 0));
      while (!isStopping) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
          out.println("shown " + record.partition() + " " + record.offset() + " " + record.value());
        }
      }
    } catch (RuntimeException error) {
      out.println("failed -1 -1 " + error);
    }
    out.println("end 0 0");
  }

  private ClusterClient() {}
}
