import { storedOperation } from '../../../graphql/run-operation.ts';

export interface SetupOfRequest {
  environment: { name: string; value: string; kind: string }[];
}

export interface FilesOfRequest {
  configurationFiles: { path: string; content: string }[];
}

/** Without a format, in the one that the request was made for. */
export interface SetupVariables {
  number: number;
  format: string | null;
}

export const ENVIRONMENT = storedOperation<
  { bundleRequest: SetupOfRequest | null },
  SetupVariables
>(`query CachitoEnvironment($number: Int!, $format: SetupFormat) {
  bundleRequest(number: $number) { environment(format: $format) { name value kind } }
}`);

export const CONFIGURATION_FILES = storedOperation<
  { bundleRequest: FilesOfRequest | null },
  SetupVariables
>(`query CachitoConfigurationFiles($number: Int!, $format: SetupFormat) {
  bundleRequest(number: $number) { configurationFiles(format: $format) { path content } }
}`);
