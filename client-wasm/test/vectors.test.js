// The vectors of packets, opened and made again.

import { describeBodies } from "./support/bodies.js";

describeBodies("vectors");
