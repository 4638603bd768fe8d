import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.RebalanceProtocol;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/**
 * Prints what the assignors of the Java client decide in the lives of random groups, a line of JSON
 * for each life: test/assignors/java.ndjson. The head of java.test.ts says how it is run.
 */
public final class Assignments {
    private static final Node NODE = new Node(0, "localhost", 9092);
    private static final int LIVES = 24;
    private static final int STEPS = 8;

    private final Random random;
    private final String assignor;
    private final boolean isUniform;
    private final TreeMap<String, Integer> topics = new TreeMap<>();
    private final LinkedHashMap<String, Member> members = new LinkedHashMap<>();
    private final List<String> steps = new ArrayList<>();
    private int generation;
    private int lastMember;

    private static final class Member {
        final ConsumerPartitionAssignor assignor;
        final List<String> topics;
        final Optional<String> instanceId;
        List<TopicPartition> owned = List.of();
        int generation = -1;

        Member(ConsumerPartitionAssignor assignor, List<String> topics, Optional<String> instanceId) {
            this.assignor = assignor;
            this.topics = topics;
            this.instanceId = instanceId;
        }

        boolean isCooperative() {
            return assignor.supportedProtocols().contains(RebalanceProtocol.COOPERATIVE);
        }
    }

    private Assignments(String assignor, boolean isUniform, long seed) {
        this.assignor = assignor;
        this.isUniform = isUniform;
        this.random = new Random(seed);
    }

    public static void main(String[] args) {
        long seed = 1;
        for (String name : List.of("range", "roundrobin", "sticky", "cooperative-sticky")) {
            for (int life = 0; life < LIVES; life++) {
                System.out.println(new Assignments(name, life % 2 == 0, seed++).live());
            }
        }
    }

    private String live() {
        int count = 1 + random.nextInt(4);
        for (int index = 0; index < count; index++) topics.put("t" + index, 1 + random.nextInt(8));
        while (members.size() < 1 + random.nextInt(5)) join();
        while (steps.size() < STEPS) {
            // A cooperative group that takes from some what it gives to others needs a second step.
            for (boolean isSettled = false; !isSettled && steps.size() < STEPS; ) isSettled = step();
            change();
        }
        return "{\"assignor\":\"" + assignor + "\",\"isUniform\":" + isUniform
            + ",\"steps\":[" + String.join(",", steps) + "]}";
    }

    private void change() {
        switch (random.nextInt(5)) {
            case 0, 1 -> join();
            case 2, 3 -> {
                if (members.size() > 1) members.remove(pick(new ArrayList<>(members.keySet())));
                else join();
            }
            default -> {
                String topic = pick(new ArrayList<>(topics.keySet()));
                topics.put(topic, topics.get(topic) + 1 + random.nextInt(3));
            }
        }
    }

    private void join() {
        List<String> mine = topics.keySet().stream()
            .filter(topic -> isUniform || random.nextInt(3) > 0).collect(Collectors.toList());
        if (mine.isEmpty()) mine = List.of(topics.firstKey());
        String id = Integer.toHexString(random.nextInt(0x1000)) + "-" + ++lastMember;
        boolean isStatic = random.nextInt(4) == 0;
        Optional<String> instanceId = isStatic ? Optional.of("i" + random.nextInt(1000)) : Optional.empty();
        members.put(id, new Member(made(), mine, instanceId));
    }

    private ConsumerPartitionAssignor made() {
        return switch (assignor) {
            case "range" -> new RangeAssignor();
            case "roundrobin" -> new RoundRobinAssignor();
            case "sticky" -> new StickyAssignor();
            default -> new CooperativeStickyAssignor();
        };
    }

    private <T> T pick(List<T> list) {
        return list.get(random.nextInt(list.size()));
    }

    /** One rebalance; true when nobody had to give up anything for others. */
    @SuppressWarnings("removal")
    private boolean step() {
        generation++;
        Map<String, Subscription> subscriptions = new LinkedHashMap<>();
        members.forEach((id, member) -> {
            ByteBuffer userData = member.assignor.subscriptionUserData(new HashSet<>(member.topics));
            List<TopicPartition> owned = member.isCooperative() ? member.owned : List.of();
            Subscription subscription =
                new Subscription(member.topics, userData, owned, member.generation, Optional.empty());
            subscription.setGroupInstanceId(member.instanceId);
            subscriptions.put(id, subscription);
        });
        List<String> said = new ArrayList<>();
        subscriptions.forEach((id, subscription) -> said.add(shown(id, subscription)));
        ConsumerPartitionAssignor leader = members.values().iterator().next().assignor;
        Map<String, Assignment> found =
            leader.assign(cluster(), new GroupSubscription(subscriptions)).groupAssignment();
        Map<String, List<TopicPartition>> assigned = new LinkedHashMap<>();
        boolean isSettled = true;
        for (Map.Entry<String, Member> entry : members.entrySet()) {
            Member member = entry.getValue();
            Assignment assignment = found.get(entry.getKey());
            assigned.put(entry.getKey(), assignment.partitions());
            // Now and then a member does not hear of what it was given, and says what it knows from before.
            if (random.nextInt(12) == 0) {
                if (random.nextBoolean()) member.generation = generation;
                continue;
            }
            isSettled &= !member.isCooperative() || assignment.partitions().containsAll(member.owned);
            member.owned = assignment.partitions();
            member.generation = generation;
            member.assignor.onAssignment(assignment,
                new ConsumerGroupMetadata("group", generation, entry.getKey(), member.instanceId));
        }
        String counts = topics.entrySet().stream()
            .map(each -> "\"" + each.getKey() + "\":" + each.getValue()).collect(Collectors.joining(","));
        String result = assigned.entrySet().stream()
            .map(each -> "\"" + each.getKey() + "\":" + shown(each.getValue()))
            .collect(Collectors.joining(","));
        steps.add("{\"topics\":{" + counts + "},\"members\":[" + String.join(",", said)
            + "],\"assigned\":{" + result + "}}");
        return isSettled;
    }

    private Cluster cluster() {
        Node[] nodes = {NODE};
        List<PartitionInfo> all = new ArrayList<>();
        topics.forEach((topic, count) -> {
            for (int partition = 0; partition < count; partition++) {
                all.add(new PartitionInfo(topic, partition, NODE, nodes, nodes));
            }
        });
        return new Cluster("cluster", List.of(NODE), all, new HashSet<>(), new HashSet<>());
    }

    private static String shown(String id, Subscription subscription) {
        ByteBuffer userData = subscription.userData();
        byte[] bytes = userData == null ? new byte[0]
            : Arrays.copyOfRange(userData.array(), 0, userData.limit());
        return "{\"memberId\":\"" + id + "\",\"instanceId\":"
            + subscription.groupInstanceId().map(each -> "\"" + each + "\"").orElse("null")
            + ",\"topics\":" + subscription.topics().stream()
                .map(topic -> "\"" + topic + "\"").collect(Collectors.joining(",", "[", "]"))
            + ",\"owned\":" + shown(subscription.ownedPartitions())
            + ",\"generation\":" + subscription.generationId().orElse(-1)
            + ",\"userData\":" + (userData == null ? "null" : "\"" + HexFormat.of().formatHex(bytes) + "\"")
            + "}";
    }

    private static String shown(List<TopicPartition> partitions) {
        return partitions.stream().map(each -> each.topic() + "/" + each.partition())
            .collect(Collectors.joining(" ", "\"", "\""));
    }
}
