export { verifyJws } from "./jws/verify.ts";
