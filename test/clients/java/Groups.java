import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Supplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.UnknownMemberIdException;

/** Groups of the classic protocol, and what the admin client does with them. */
final class Groups {
  static final int COUNT = 300;
  static final Map<Integer, Long> COMMITTED = Map.of(0, 40L, 1, 41L, 2, 42L);
  static final Map<String, Object> NONE = Map.of();
  static final String ASSIGNOR = "partition.assignment.strategy";

  private final String bootstrap;
  private final Admin admin;

  Groups(String bootstrap, Admin admin) {
    this.bootstrap = bootstrap;
    this.admin = admin;
  }

  void work() {
    groupOfTwo();
    Shown.shown("cooperative", this::cooperative);
    Shown.shown("static member", this::staticMember);
    Shown.shown("a second static member with the same id fences the first", this::fencing);
    Shown.shown("range, round-robin and sticky assignors", this::assignors);
    Shown.shown("commit", this::commit);
    Shown.shown("resume", this::resume);
    Shown.shown("automatic commit when a consumer closes", this::automaticCommit);
    Shown.shown("a commit by a member that was removed is refused", this::lateCommit);
    Shown.shown("lag", this::lag);
    Shown.shown("reset offsets", this::reset);
    Shown.shown("delete offsets", this::deleteOffsets);
    Shown.shown("remove members", this::removeMembers);
    Shown.shown("delete group", this::deleteGroup);
  }

  void again() {
    Shown.shown("offsets kept", () -> {
      Shown.same(new TreeMap<>(COMMITTED), committed(name("commit")), "committed offsets");
      OffsetAndMetadata first = offsets(name("commit")).get(new TopicPartition(name("commit"), 0));
      Shown.same("by member", first.metadata(), "metadata");
    });
    Shown.shown("group resumes", () -> {
      Map<Integer, Long> end = Map.of(0, 100L, 1, 100L, 2, 100L);
      try (Member member = join(name("commit"), NONE)) {
        until(() -> member.read().size(), 60 + 59 + 58, "messages read");
        Shown.same(new TreeMap<>(COMMITTED), member.starts(), "where it begins");
        member.commit(end);
      }
      Shown.same(new TreeMap<>(end), committed(name("commit")), "committed offsets");
    });
  }

  // ── What the checks are made of ────────────────────────────────────────────────────────────

  private static String name(String name) {
    return JavaClient.topic("group-" + name);
  }

  private Member join(String name, Map<String, Object> settings) {
    return new Member(bootstrap, name, name, settings);
  }

  private static Map<String, Object> instance(String id) {
    return Map.of("group.instance.id", id);
  }

  /** Waits until a value is as expected; fails with what it is instead. */
  static <T> void until(Supplier<T> actual, T expected, String what) throws Exception {
    long deadline = System.nanoTime() + JavaClient.WAIT.toNanos();
    while (!expected.equals(actual.get())) {
      if (System.nanoTime() > deadline) Shown.same(expected, actual.get(), what);
      Thread.sleep(10);
    }
  }

  /** Creates a topic of three partitions; `count` messages go to them in turn. */
  private void fill(String topic, int count) throws Exception {
    JavaClient.create(topic, 3);
    JavaClient.soon(() ->
        Shown.same(3, JavaClient.describe(topic).partitions().size(), "partitions"));
    send(topic, topic, count);
  }

  private void send(String topic, String text, int count) throws Exception {
    JavaClient.sendInTurn(topic, JavaClient.messages(text, count), 3);
  }

  private Map<TopicPartition, OffsetAndMetadata> offsets(String group) throws Exception {
    return JavaClient.get(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata());
  }

  private Map<Integer, Long> committed(String group) throws Exception {
    Map<Integer, Long> committed = new TreeMap<>();
    offsets(group).forEach((partition, offset) ->
        committed.put(partition.partition(), offset.offset()));
    return committed;
  }

  private void commitInPlace(String group, Map<Integer, Long> offsets) throws Exception {
    Map<TopicPartition, OffsetAndMetadata> all = new HashMap<>();
    offsets.forEach((partition, offset) ->
        all.put(new TopicPartition(group, partition), new OffsetAndMetadata(offset)));
    JavaClient.get(admin.alterConsumerGroupOffsets(group, all).all());
  }

  private ConsumerGroupDescription describe(String group) throws Exception {
    return JavaClient.get(admin.describeConsumerGroups(List.of(group)).all()).get(group);
  }

  private List<String> list() throws Exception {
    return JavaClient.get(admin.listGroups().all()).stream().map(GroupListing::groupId).toList();
  }

  private static List<Integer> union(Member... members) {
    List<Integer> all = new ArrayList<>();
    for (Member member : members) all.addAll(member.assigned());
    return all.stream().sorted().toList();
  }

  /** All members hold something, and together each of the three partitions once. */
  private static void share(Member... members) throws Exception {
    until(() -> {
      for (Member member : members) if (member.assigned().isEmpty()) return List.of();
      return union(members);
    }, List.of(0, 1, 2), "partitions of " + members.length + " members");
  }

  /** Produces anew and waits until the members have read each of these messages once. */
  private void readTogether(String topic, String text, Member... members) throws Exception {
    send(topic, text, COUNT);
    Map<String, Integer> expected = new TreeMap<>();
    for (var message : JavaClient.messages(text, COUNT)) expected.put(message.value(), 1);
    until(() -> {
      Map<String, Integer> read = new TreeMap<>();
      for (Member member : members) {
        member.values().forEach((value, times) -> read.merge(value, times, Integer::sum));
      }
      read.keySet().retainAll(expected.keySet());
      return read;
    }, expected, "messages read");
  }

  // ── Members come and go ────────────────────────────────────────────────────────────────────

  private void groupOfTwo() {
    String name = name("two");
    List<Member> members = new ArrayList<>();
    Shown.shown("group of two", () -> {
      fill(name, COUNT);
      members.add(join(name, NONE));
      share(members.get(0));
      members.add(join(name, NONE));
      share(members.get(0), members.get(1));
      readTogether(name, name + " for two", members.get(0), members.get(1));
    });
    Shown.shown("list groups", () -> {
      Shown.same(true, list().contains(name), "it is in the list");
      var listings = JavaClient.get(admin.listGroups().all());
      GroupListing ours = listings.stream().filter(g -> g.groupId().equals(name)).findFirst().get();
      Shown.same("consumer", ours.protocol(), "protocol");
      Shown.same(GroupState.STABLE, ours.groupState().get(), "state");
    });
    Shown.shown("describe group", () -> {
      ConsumerGroupDescription found = describe(name);
      Shown.same(GroupState.STABLE, found.groupState(), "state");
      Shown.same("range", found.partitionAssignor(), "assignor");
      Set<TopicPartition> all = new TreeSet<>((a, b) -> a.partition() - b.partition());
      for (var member : found.members()) {
        Shown.same("java-member", member.clientId(), "client id");
        Shown.same("/127.0.0.1", member.host(), "host");
        all.addAll(member.assignment().topicPartitions());
      }
      Shown.same(2, found.members().size(), "members");
      Shown.same(3, all.size(), "assigned partitions");
    });
    Shown.shown("leave", () -> {
      members.get(0).close();
      share(members.get(1));
      readTogether(name, name + " for one", members.get(1));
      members.get(1).close();
      Shown.same(GroupState.EMPTY, describe(name).groupState(), "state when all left");
    });
  }

  private void cooperative() throws Exception {
    String name = name("cooperative");
    fill(name, COUNT);
    Map<String, Object> settings =
        Map.of(ASSIGNOR, "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
    try (Member first = join(name, settings)) {
      share(first);
      try (Member second = join(name, settings)) {
        share(first, second);
        Shown.same(second.assigned(), first.lost(), "what the first lost");
        Shown.same(2, first.assigned().size(), "what the first kept");
        readTogether(name, name + " for two", first, second);
      }
      share(first);
      Shown.same(1, first.lost().size(), "partitions the first ever lost");
    }
  }

  private void staticMember() throws Exception {
    String name = name("static");
    fill(name, COUNT);
    try (Member first = join(name, instance("first"))) {
      Member second = join(name, instance("second"));
      share(first, second);
      List<Integer> held = second.assigned();
      int lost = first.lost().size();
      second.close();
      try (Member back = join(name, instance("second"))) {
        until(back::assigned, held, "what it holds when it is back");
        readTogether(name, name + " back", first, back);
        first.with(consumer -> consumer.commitSync()); // refused in a generation that is over
        Shown.same(lost, first.lost().size(), "partitions the first lost");
        Shown.same(Set.of("first", "second"), instances(name), "instance ids");
      }
    }
  }

  private Set<String> instances(String group) throws Exception {
    Set<String> ids = new TreeSet<>();
    for (var member : describe(group).members()) ids.add(member.groupInstanceId().get());
    return ids;
  }

  private void fencing() throws Exception {
    String name = name("fencing");
    fill(name, 3);
    try (Member first = join(name, instance("same"))) {
      share(first);
      try (Member second = join(name, instance("same"))) {
        share(second);
        until(() -> first.trouble() == null ? null : first.trouble().getClass(),
            FencedInstanceIdException.class, "what the first gets");
      }
    }
  }

  private void assignors() throws Exception {
    for (String assignor : List.of("Range", "RoundRobin", "Sticky")) {
      String name = name(assignor);
      fill(name, 3);
      Map<String, Object> settings =
          Map.of(ASSIGNOR, "org.apache.kafka.clients.consumer." + assignor + "Assignor");
      try (Member first = join(name, settings); Member second = join(name, settings)) {
        share(first, second);
        Shown.same(assignor.toLowerCase(), describe(name).partitionAssignor(), "assignor");
      }
    }
  }

  // ── Offsets ────────────────────────────────────────────────────────────────────────────────

  private void commit() throws Exception {
    String name = name("commit");
    fill(name, COUNT);
    try (Member member = join(name, NONE)) {
      until(() -> member.read().size(), COUNT, "messages read");
      member.commit(COMMITTED);
    }
    Shown.same(new TreeMap<>(COMMITTED), committed(name), "committed offsets");
  }

  private void resume() throws Exception {
    try (Member member = join(name("commit"), NONE)) {
      until(() -> member.read().size(), 60 + 59 + 58, "messages read");
      Shown.same(new TreeMap<>(COMMITTED), member.starts(), "where it begins");
    }
  }

  private void automaticCommit() throws Exception {
    String name = name("automatic");
    fill(name, COUNT);
    try (Member member = join(name, Map.of("enable.auto.commit", "true"))) {
      until(() -> member.read().size(), COUNT, "messages read");
    }
    Shown.same(new TreeMap<>(Map.of(0, 100L, 1, 100L, 2, 100L)), committed(name), "offsets");
  }

  private void lateCommit() throws Exception {
    String name = name("late");
    fill(name, 3);
    try (Member member = join(name, NONE)) {
      share(member);
      var fenced = Map.of(new TopicPartition(name, 0), new OffsetAndMetadata(1L));
      JavaClient.refused(UnknownMemberIdException.class, () ->
          JavaClient.get(admin.alterConsumerGroupOffsets(name, fenced).all()));
      member.commit(Map.of(0, 1L));
    }
  }

  private void lag() throws Exception {
    String name = name("commit");
    long lag = 0;
    for (var entry : committed(name).entrySet()) {
      TopicPartition partition = new TopicPartition(name, entry.getKey());
      lag += JavaClient.offset(partition, OffsetSpec.latest()) - entry.getValue();
    }
    Shown.same(60L + 59 + 58, lag, "lag");
  }

  private void reset() throws Exception {
    String name = name("reset");
    fill(name, COUNT);
    commitInPlace(name, COMMITTED);
    Map<Integer, Long> to = Map.of(0, 7L, 1, 8L, 2, 9L);
    commitInPlace(name, to);
    Shown.same(new TreeMap<>(to), committed(name), "offsets");
    try (Member member = join(name, NONE)) {
      until(() -> member.read().size(), COUNT - 7 - 8 - 9, "messages read");
      Shown.same(new TreeMap<>(to), member.starts(), "where it begins");
    }
  }

  private void deleteOffsets() throws Exception {
    String name = name("delete-offsets");
    fill(name, 3);
    commitInPlace(name, COMMITTED);
    var second = Set.of(new TopicPartition(name, 1));
    JavaClient.get(admin.deleteConsumerGroupOffsets(name, second).all());
    Shown.same(new TreeMap<>(Map.of(0, 40L, 2, 42L)), committed(name), "offsets");
  }

  // ── Administration ─────────────────────────────────────────────────────────────────────────

  private void removeMembers() throws Exception {
    String name = name("remove");
    fill(name, 3);
    Member first = join(name, instance("one"));
    Member second = join(name, instance("two"));
    share(first, second);
    first.close(); // static members stay in the group for their session
    second.close();
    Shown.same(Set.of("one", "two"), instances(name), "instance ids");
    var one = new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("one")));
    JavaClient.get(admin.removeMembersFromConsumerGroup(name, one).all());
    Shown.same(Set.of("two"), instances(name), "instance ids");
    JavaClient.get(admin.removeMembersFromConsumerGroup(name,
        new RemoveMembersFromConsumerGroupOptions()).all());
    Shown.same(GroupState.EMPTY, describe(name).groupState(), "state");
  }

  private void deleteGroup() throws Exception {
    String name = name("delete");
    fill(name, 3);
    try (Member member = join(name, NONE)) {
      share(member);
      member.commit(Map.of(0, 1L));
      JavaClient.refused(GroupNotEmptyException.class, () ->
          JavaClient.get(admin.deleteConsumerGroups(List.of(name)).all()));
    }
    JavaClient.get(admin.deleteConsumerGroups(List.of(name)).all());
    JavaClient.soon(() -> Shown.same(false, list().contains(name), "it is in the list"));
    JavaClient.refused(GroupIdNotFoundException.class, () ->
        JavaClient.get(admin.deleteConsumerGroups(List.of(name)).all()));
  }
}
