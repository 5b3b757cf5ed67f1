// Has @sigstore/verify verify each signature of each envelope: `dsse.mjs KEYS ENVELOPES`; 3 if it refuses one.
import { readFileSync } from "node:fs";
import { createPublicKey } from "node:crypto";
import { createRequire } from "node:module";

// The packages lie where the script that runs this has put them.
const require = createRequire(process.env.NODE_PACKAGES);
const { bundleFromJSON } = require("@sigstore/bundle");
const { toSignedEntity, VerificationError, Verifier } = require("@sigstore/verify");

const [, , keysFile, envelopesFile] = process.argv;
const keys = JSON.parse(readFileSync(keysFile, "utf8"));
const publicKey = (keyid) => ({
    publicKey: createPublicKey({
        key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(keys[keyid], "hex").toString("base64url") },
        format: "jwk",
    }),
    validFor: () => true,
});
const trust = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [], publicKey };
const verifier = new Verifier(trust, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 });

let count = 0;
for (const line of readFileSync(envelopesFile, "utf8").split("\n").filter(Boolean)) {
    const envelope = JSON.parse(line);
    // A bundle has one signature.
    for (const signature of envelope.signatures) {
        const bundle = bundleFromJSON({
            mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
            verificationMaterial: { publicKey: { hint: signature.keyid }, tlogEntries: [] },
            dsseEnvelope: { ...envelope, signatures: [signature] },
        });
        try {
            verifier.verify(toSignedEntity(bundle));
        } catch (error) {
            if (!(error instanceof VerificationError)) throw error;
            console.log(error.message);
            process.exit(3);
        }
        count += 1;
    }
}
if (count === 0) throw new Error("there is no signature");
console.log(`${count} signatures`);
