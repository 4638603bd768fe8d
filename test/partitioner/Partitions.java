import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

/**
 * Prints where the Java client puts keys, a line of JSON for each: test/partitioner/java.ndjson. The head
 * of src/client/partitioner.test.ts says how it is run.
 */
public final class Partitions {
    private static final int[] COUNTS = {1, 2, 3, 6, 7, 12, 50, 100, 1000, 4096};

    public static void main(String[] arguments) {
        for (byte[] key : keys()) {
            StringBuilder partitions = new StringBuilder();
            for (int count : COUNTS) {
                if (partitions.length() > 0) partitions.append(',');
                partitions.append(BuiltInPartitioner.partitionForKey(key, count));
            }
            System.out.printf(
                "{\"key\":\"%s\",\"hash\":%d,\"partitions\":[%s]}%n",
                HexFormat.of().formatHex(key), Utils.murmur2(key), partitions);
        }
    }

    private static List<byte[]> keys() {
        List<byte[]> keys = new ArrayList<>();
        Random random = new Random(4711);
        for (int length = 0; length <= 20; length++) {
            for (int filler : new int[] {0x00, 0x7f, 0x80, 0xff}) {
                byte[] key = new byte[length];
                java.util.Arrays.fill(key, (byte) filler);
                keys.add(key);
            }
            for (int n = 0; n < 8; n++) keys.add(randomBytes(random, length));
        }
        for (int length : new int[] {63, 64, 65, 127, 255, 1000, 4099}) {
            keys.add(randomBytes(random, length));
        }
        for (int n = 0; n < 100; n++) keys.add(text("key-" + n));
        for (String word : new String[] {"ä", "日本語", "🦦", "naïve Ωμέγα", "\u0000", "user:ß:42", "е́"}) {
            keys.add(text(word));
        }
        return keys;
    }

    private static byte[] randomBytes(Random random, int length) {
        byte[] key = new byte[length];
        random.nextBytes(key);
        return key;
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
