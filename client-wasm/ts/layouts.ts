export {
  decryptAuthRequest,
  decryptBiometricBlock,
  encryptAuthRequest,
  encryptBiometricBlock,
} from "./layouts/auth.ts";
export { decryptRegistrationContainer, encryptRegistrationContainer } from "./layouts/container.ts";
export { decryptForMachine, encryptForMachine } from "./layouts/machine.ts";
export { parsePacket } from "./layouts/parse.ts";
export { decryptWithPin, encryptWithPin } from "./layouts/pin.ts";
