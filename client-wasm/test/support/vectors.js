// The ciphertexts that every implementation of the format is held against.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../../scripts/paths.js";

export const VECTORS = join(checkout, "tests/vectors/packets.json");
export const vectors = JSON.parse(readFileSync(VECTORS, "utf8"));
export const { recipients } = vectors;

/** Certificates of every kind, good and bad, by what they are about. */
export const CERTIFICATES = join(checkout, "shared/tests/certificates/certificates.json");
export const certificates = JSON.parse(readFileSync(CERTIFICATES, "utf8"));
