// Opens what the package made, with the JDK's own cryptography, and no code of this repository.
//
// Reads properties from the standard input: keys, and values by layout. Writes the contents as properties.

import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import javax.crypto.Cipher;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.PSource;
import javax.crypto.spec.SecretKeySpec;

class OpenLayouts {
    static final byte[] NOTHING = {};
    static final byte[] HEADER = "VER_R2".getBytes(StandardCharsets.US_ASCII);
    static final byte[] SPLITTER = "#KEY_SPLITTER#".getBytes(StandardCharsets.US_ASCII);

    final Properties given;
    final PrivateKey key;

    OpenLayouts(Properties given) throws GeneralSecurityException {
        this.given = given;
        this.key = KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(bytes("private_key")));
    }

    public static void main(String[] arguments) throws Exception {
        Properties given = new Properties();
        given.load(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        new OpenLayouts(given).all().forEach((name, content) -> System.out.println(name + "=" + encoded(content)));
    }

    Map<String, byte[]> all() throws Exception {
        Map<String, byte[]> opened = new LinkedHashMap<>();
        opened.put("packet", packet(bytes("packet")));
        opened.put("appended", appended(bytes("appended.packet"), bytes("appended.aad")));
        opened.put("salted", body(bytes("salted.packet"), bytes("salted.salt"), bytes("salted.aad")));
        opened.put("registration", registration(bytes("registration")));
        opened.put("auth", auth());
        opened.put("biometric", biometric());
        opened.put("pin", pin());
        opened.put("local", machine(bytes("local"), MGF1ParameterSpec.SHA256, NOTHING));
        opened.put("android", machine(bytes("android"), MGF1ParameterSpec.SHA1, NOTHING));
        opened.put("tpm", machine(bytes("tpm"), MGF1ParameterSpec.SHA256, new byte[] {0}));
        container(registration(bytes("container")), opened);
        return opened;
    }

    /** Nonce and associated data stand before the text. */
    byte[] packet(byte[] packet) throws GeneralSecurityException {
        check(Arrays.equals(part(packet, 0, 6), HEADER), "header");
        byte[] rest = part(packet, 6, packet.length);
        byte[] aad = part(rest, 302, 334);
        return decrypted(unwrapped(key(rest)), part(aad, 0, 12), aad, part(rest, 334, rest.length));
    }

    byte[] appended(byte[] packet, byte[] aad) throws GeneralSecurityException {
        int end = packet.length - 16;
        return body(part(packet, 0, end), part(packet, end, packet.length), aad);
    }

    byte[] registration(byte[] packet) throws GeneralSecurityException {
        return body(part(packet, 44, packet.length), part(packet, 0, 12), part(packet, 12, 44));
    }

    byte[] body(byte[] packet, byte[] nonce, byte[] aad) throws GeneralSecurityException {
        return decrypted(unwrapped(key(packet)), nonce, aad, part(packet, 302, packet.length));
    }

    /** What stands between thumbprint and splitter. */
    byte[] key(byte[] packet) {
        check(Arrays.equals(part(packet, 288, 302), SPLITTER), "splitter");
        return part(packet, 32, 288);
    }

    byte[] auth() throws GeneralSecurityException {
        Key dataKey = unwrapped(bytes("auth.requestSessionKey"));
        byte[] content = withNonceBehind(dataKey, bytes("auth.request"));
        byte[] hash = MessageDigest.getInstance("SHA-256").digest(content);
        byte[] stated = withNonceBehind(dataKey, bytes("auth.requestHMAC"));
        String expected = HexFormat.of().withUpperCase().formatHex(hash);
        check(expected.equals(new String(stated, StandardCharsets.US_ASCII)), "hash of the request");
        return content;
    }

    byte[] withNonceBehind(Key dataKey, byte[] sealed) throws GeneralSecurityException {
        int end = sealed.length - 16;
        return decrypted(dataKey, part(sealed, end, sealed.length), NOTHING, part(sealed, 0, end));
    }

    byte[] biometric() throws GeneralSecurityException {
        byte[] one = given.getProperty("biometric.timestamp").getBytes(StandardCharsets.UTF_8);
        byte[] other = given.getProperty("biometric.transactionId").getBytes(StandardCharsets.UTF_8);
        int length = Math.max(one.length, other.length);
        byte[] mixed = new byte[length];
        for (int i = 0; i < length; i++) {
            int left = i < length - one.length ? 0 : one[i - length + one.length];
            int right = i < length - other.length ? 0 : other[i - length + other.length];
            mixed[i] = (byte) (left ^ right);
        }
        byte[] nonce = part(mixed, length - 12, length);
        byte[] aad = part(mixed, length - 16, length);
        return decrypted(unwrapped(bytes("biometric.sessionKey")), nonce, aad, bytes("biometric.data"));
    }

    byte[] pin() throws GeneralSecurityException {
        byte[] sealed = bytes("pin.sealed");
        byte[] salt = part(sealed, 0, 32);
        char[] pin = given.getProperty("pin.pin").toCharArray();
        int iterations = Integer.parseInt(given.getProperty("pin.iterations"));
        byte[] derived = SecretKeyFactory.getInstance("PBKDF2WithHmacSHA512")
            .generateSecret(new PBEKeySpec(pin, salt, iterations, 256))
            .getEncoded();
        Key dataKey = new SecretKeySpec(derived, "AES");
        return decrypted(dataKey, part(sealed, 32, 44), salt, part(sealed, 44, sealed.length));
    }

    byte[] machine(byte[] sealed, MGF1ParameterSpec mask, byte[] label) throws GeneralSecurityException {
        Key dataKey = unwrapped(part(sealed, 0, 256), mask, label);
        return decrypted(dataKey, part(sealed, 256, 268), part(sealed, 268, 300), part(sealed, 300, sealed.length));
    }

    /** Puts each sub-packet under its path, and what is said about it. */
    void container(byte[] archive, Map<String, byte[]> opened) throws Exception {
        Map<String, byte[]> files = new LinkedHashMap<>();
        try (ZipInputStream zip = new ZipInputStream(new ByteArrayInputStream(archive))) {
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                files.put(entry.getName(), zip.readAllBytes());
            }
        }
        PublicKey machine = KeyFactory.getInstance("RSA").generatePublic(new X509EncodedKeySpec(bytes("machine_key")));
        for (String path : files.keySet()) {
            if (!path.endsWith(".zip")) continue;
            byte[] sealed = files.get(path);
            byte[] about = files.get(path.substring(0, path.length() - 4) + ".json");
            String hash = encoded(MessageDigest.getInstance("SHA-256").digest(sealed));
            check(hash.equals(member(about, "encryptedhash")), "hash of " + path);
            byte[] content = registration(sealed);
            Signature signature = Signature.getInstance("SHA256withRSA");
            signature.initVerify(machine);
            signature.update(content);
            check(signature.verify(decoded(member(about, "signature"))), "signature of " + path);
            opened.put(path, content);
            opened.put(path + ".about", about);
        }
    }

    /** A text in a JSON. The JDK reads none; those that are looked for here have nothing escaped in them. */
    static String member(byte[] json, String name) {
        var found = Pattern.compile("\"" + name + "\":\"([\\w-]+)\"").matcher(new String(json, StandardCharsets.UTF_8));
        check(found.find(), name);
        return found.group(1);
    }

    Key unwrapped(byte[] wrapped) throws GeneralSecurityException {
        return unwrapped(wrapped, MGF1ParameterSpec.SHA256, NOTHING);
    }

    Key unwrapped(byte[] wrapped, MGF1ParameterSpec mask, byte[] label) throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("RSA/ECB/OAEPPadding");
        var parameters = new OAEPParameterSpec("SHA-256", "MGF1", mask, new PSource.PSpecified(label));
        cipher.init(Cipher.DECRYPT_MODE, key, parameters);
        return new SecretKeySpec(cipher.doFinal(wrapped), "AES");
    }

    static byte[] decrypted(Key key, byte[] nonce, byte[] aad, byte[] text) throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(Cipher.DECRYPT_MODE, key, new GCMParameterSpec(128, nonce));
        cipher.updateAAD(aad);
        return cipher.doFinal(text);
    }

    byte[] bytes(String name) {
        return decoded(given.getProperty(name));
    }

    static byte[] part(byte[] bytes, int from, int to) {
        return Arrays.copyOfRange(bytes, from, to);
    }

    static byte[] decoded(String text) {
        return Base64.getUrlDecoder().decode(text);
    }

    static String encoded(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    static void check(boolean holds, String what) {
        if (!holds) throw new IllegalStateException("not as it should be: " + what);
    }
}
