import java.util.Objects;

/** What a client program says of itself, one line a fact, for main.ts to put into its table. */
final class Shown {
  interface Check {
    void run() throws Exception;
  }

  static boolean failed = false;

  static void version(String text) {
    System.out.println("version " + text);
  }

  static void runtime(String text) {
    System.out.println("runtime " + text);
  }

  /** Runs the check; prints that it was shown, or that it FAILED and why, and goes on. */
  static void shown(String what, Check check) {
    try {
      check.run();
      System.out.println("ok " + what);
    } catch (Exception | AssertionError error) {
      failed = true;
      Throwable cause = error.getCause() == null ? error : error.getCause();
      System.out.println("FAILED " + what + ": " + cause.toString().replaceAll("\\s*\\n\\s*", " "));
    }
  }

  static void same(Object expected, Object actual, String what) {
    if (!Objects.equals(expected, actual)) {
      throw new AssertionError(what + ": expected " + expected + ", got " + actual);
    }
  }

  private Shown() {}
}
