// Compares each line with what `canonicalize` makes of the document: `canonical.mjs CORPUS CANONICAL`; 3 if they differ.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

// The packages lie where the script that runs this has put them.
const packages = new URL("node_modules/canonicalize/lib/canonicalize.js", pathToFileURL(process.env.NODE_PACKAGES));
const { default: canonicalize } = await import(packages);

const [corpus, ours] = process.argv.slice(2).map((file) => readFileSync(file, "utf8").split("\n"));
if (corpus.length < 2 || corpus.length !== ours.length) throw new Error("there are not as many lines");
for (let at = 0; at + 1 < corpus.length; at += 1) {
    const theirs = canonicalize(JSON.parse(corpus[at]));
    if (ours[at] !== theirs) {
        console.log(`line ${at + 1}: ${ours[at]} is not ${theirs}`);
        process.exit(3);
    }
}
console.log(`${ours.length - 1} documents`);
