import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.security.KeyFactory;
import java.security.Signature;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.PSSParameterSpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;

/**
 * Verifies what the server signs, and signs for it, with Java's own Signature.
 *
 * Each line is a case, its words divided by blanks, bytes in base64: `verify ALGORITHM KEY INPUT SIGNATURE` with a
 * SubjectPublicKeyInfo, or `sign ALGORITHM KEY INPUT` with a PKCS #8. Answers, a line each: `true` or `false`, a
 * signature, or an error.
 */
public class Peers {
    public static void main(String[] arguments) throws Exception {
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println(answer(line.split(" ")));
        }
    }

    private static String answer(String[] words) {
        try {
            var signature = signature(words[1]);
            var keys = KeyFactory.getInstance(words[1].matches("[RP]S.*") ? "RSA" : words[1].equals("EdDSA") ? "Ed25519" : "EC");
            if (words[0].equals("verify")) {
                signature.initVerify(keys.generatePublic(new X509EncodedKeySpec(bytes(words[2]))));
                signature.update(bytes(words[3]));
                return String.valueOf(signature.verify(bytes(words[4])));
            }
            signature.initSign(keys.generatePrivate(new PKCS8EncodedKeySpec(bytes(words[2]))));
            signature.update(bytes(words[3]));
            return Base64.getEncoder().encodeToString(signature.sign());
        } catch (Exception error) {
            return "error: " + error;
        }
    }

    /** The algorithm of that name in JOSE; ECDSA gives r and s, one after the other. */
    private static Signature signature(String name) throws Exception {
        String bits = name.length() > 4 ? name.substring(2, 5) : "";
        return switch (name.substring(0, 2)) {
            case "RS" -> Signature.getInstance("SHA" + bits + "withRSA");
            case "ES" -> Signature.getInstance("SHA" + bits + "withECDSAinP1363Format");
            case "Ed" -> Signature.getInstance("Ed25519");
            default -> {
                var hash = "SHA-" + bits;
                var salt = Integer.parseInt(bits) / 8;
                var signature = Signature.getInstance("RSASSA-PSS");
                signature.setParameter(
                        new PSSParameterSpec(hash, "MGF1", new MGF1ParameterSpec(hash), salt, 1));
                yield signature;
            }
        };
    }

    private static byte[] bytes(String text) {
        return Base64.getDecoder().decode(text);
    }
}
