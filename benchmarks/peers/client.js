// A PouchDB with leveldb that replicates. `node client.js DEED FOLDER URL [FILE]` prints a line of JSON.
//   fill FOLDER - FILE   store the documents of FILE, one JSON object a line
//   push|pull FOLDER URL replicate until it is done or fails once
const fs = require("fs");
const PouchDB = require("pouchdb");

const BATCH = 100; // PouchDB's own default
const [deed, folder, url, file] = process.argv.slice(2);

async function main() {
  const local = new PouchDB(folder);
  if (deed === "fill") {
    const lines = fs.readFileSync(file, "utf8").split("\n").filter(Boolean);
    await local.bulkDocs(lines.map((line) => JSON.parse(line)));
    return { stored: lines.length };
  }
  const remote = new PouchDB(url);
  const begun = process.hrtime.bigint();
  let told = {};
  try {
    const way = deed === "push" ? local.replicate.to : local.replicate.from;
    const result = await way.call(local.replicate, remote, { batch_size: BATCH });
    told = { ok: result.ok, docs: result.docs_written };
  } catch (error) {
    told = { ok: false, error: String(error.message || error.reason || error) };
  }
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  return { ...told, seconds, local: (await local.info()).doc_count };
}

main().then(
  (told) => { console.log(JSON.stringify(told)); process.exit(0); },
  (error) => { console.error(error); process.exit(1); },
);
