import { storedOperation } from '../../../graphql/run-operation.ts';

export interface ServiceState {
  name: string;
  ok: boolean;
  reason: string | null;
}

export interface SystemState {
  services: ServiceState[];
  workers: ServiceState[];
  canProcess: { packageManager: string; ok: boolean }[];
  unavailable: string | null;
}

export const STATUS = storedOperation<{ status: SystemState }>(`query CachitoStatus {
  status {
    services { name ok reason }
    workers { name ok reason }
    canProcess { packageManager ok }
    unavailable
  }
}`);
