/**
 * The head of every page: "My page" is there for who is signed in.
 * @module
 */

import { currentSession } from "./community.js";

const mine = document.getElementById("mine");

// its place is kept, so that nothing moves when it comes
const show = () => mine?.classList.toggle("unseen", currentSession() === null);

document.addEventListener("session", show);
show();
