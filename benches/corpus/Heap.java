import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Programs of Java that leak, or only look like it. Each runs at a steady pace by itself. */
public class Heap {
    private static final List<byte[]> KEPT = new ArrayList<>();

    public static void main(String[] arguments) throws InterruptedException {
        boolean leaks = arguments[0].equals("static-list");
        Map<Integer, byte[]> recent = new HashMap<>();
        for (int round = 0;; round++) {
            for (int i = 0; i < 40; i++) {
                recent.put((round * 40 + i) % 4000, new byte[2048]);
            }
            if (leaks) {
                KEPT.add(new byte[8192]);
            }
            Thread.sleep(50);
        }
    }
}
