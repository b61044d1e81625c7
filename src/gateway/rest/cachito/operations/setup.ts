import { storedOperation } from '../run-operation.ts';

export interface SetupOfRequest {
  environment: { name: string; value: string; kind: string }[];
}

export interface FilesOfRequest {
  configurationFiles: { path: string; content: string }[];
}

export const ENVIRONMENT = storedOperation<
  { bundleRequest: SetupOfRequest | null },
  { number: number }
>(`query CachitoEnvironment($number: Int!) {
  bundleRequest(number: $number) { environment { name value kind } }
}`);

export const CONFIGURATION_FILES = storedOperation<
  { bundleRequest: FilesOfRequest | null },
  { number: number }
>(`query CachitoConfigurationFiles($number: Int!) {
  bundleRequest(number: $number) { configurationFiles { path content } }
}`);
