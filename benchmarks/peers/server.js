// A CouchDB as Node programs run it: express-pouchdb on leveldb. `node server.js FOLDER PORT`.
const [folder, port] = process.argv.slice(2);
const PouchDB = require("pouchdb").defaults({ prefix: `${folder}/` });
const app = require("express")();
// Its own file of settings and its log would otherwise land in the working folder.
process.chdir(folder);
app.use(require("express-pouchdb")(PouchDB, { mode: "minimumForPouchDB", inMemoryConfig: true, logPath: "/dev/null" }));
app.listen(Number(port), "127.0.0.1");
