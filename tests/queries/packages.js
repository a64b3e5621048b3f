// Loads the packages, which tests/queries/run installs outside this folder.

import { createRequire } from "node:module";
import { join } from "node:path";

export const folder = process.env.QUERIES_NODE;
export const load = createRequire(join(folder, "package.json"));
