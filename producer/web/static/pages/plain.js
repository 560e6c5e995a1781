// A page that does nothing but be light or dark.

import { startTheme } from "../lib/theme.js";

startTheme();
