/** Everything that can be wrong with a call, as bk-repo numbers it (bkrepo-docker.md 0.3). `{0}` is the first parameter. */
export const ERROR_CODES = {
  SYSTEM_ERROR: [250102, 500, 'System service is busy, please try again later', '系统繁忙，请稍后再试'],
  PARAMETER_MISSING: [250103, 400, 'Parameter [{0}] is missing', '参数[{0}]缺失'],
  PARAMETER_EMPTY: [250104, 400, 'Parameter [{0}] should not be empty', '参数[{0}]不能为空'],
  PARAMETER_INVALID: [250105, 400, 'Parameter [{0}] is invalid', '参数[{0}]无效'],
  CONTENT_INVALID: [250106, 400, 'Invalid request content', '请求内容无效'],
  RESOURCE_EXISTED: [250107, 400, 'Resource [{0}] existed', '资源[{0}]已存在'],
  RESOURCE_NOT_FOUND: [250108, 400, 'Resource [{0}] not found', '资源[{0}]不存在'],
  METHOD_NOT_ALLOWED: [250112, 405, 'Method not allowed, reason: {0}', '不允许的方法, 原因: {0}'],
  ACCESS_DENIED: [250113, 403, 'Access denied: {0}', '访问被拒绝: {0}'],
  UNAUTHENTICATED: [250114, 401, 'Failed to authenticate: {0}', '认证失败: {0}'],
  HEADER_MISSING: [250118, 400, 'Header [{0}] is missing', '请求头[{0}]缺失'],
  MEDIA_TYPE_UNSUPPORTED: [250119, 415, 'Unsupported Media Type', '不支持的媒体类型'],
  RANGE_NOT_SATISFIABLE: [250120, 416, 'Requested range not satisfiable', '请求范围无法满足'],
  TOO_LARGE: [250127, 400, 'The request is too large', '请求过大'],
  LOCKED: [250128, 400, 'The resource is in use', '资源正在使用中'],
  TOO_MANY_REQUESTS: [250129, 429, 'Too many requests', '请求过于频繁'],
  URL_NOT_FOUND: [250130, 404, 'Request url[{0}] not found', '请求地址[{0}]不存在'],
  PROJECT_NOT_FOUND: [251004, 400, 'Project [{0}] not found', '项目[{0}]不存在'],
  PROJECT_EXISTED: [251005, 400, 'Project [{0}] existed', '项目[{0}]已存在'],
  REPOSITORY_NOT_FOUND: [251006, 404, 'Repository [{0}] not found', '仓库[{0}]不存在'],
  REPOSITORY_EXISTED: [251007, 400, 'Repository [{0}] existed', '仓库[{0}]已存在'],
  REPOSITORY_NOT_EMPTY: [251008, 400, 'Repository is not empty', '仓库不为空'],
  NODE_NOT_FOUND: [251010, 404, 'Node [{0}] not found', '节点[{0}]不存在'],
  STAGE_UPGRADE_ERROR: [251015, 400, 'Upgrade artifact stage error: [{0}]', '制品晋级错误: [{0}]'],
  PACKAGE_NOT_FOUND: [251017, 404, 'Package [{0}] not found', '包[{0}]不存在'],
  // The second placeholder is never filled, which clients have come to know.
  VERSION_NOT_FOUND: [251019, 404, 'Package version [{0}-{1}] not found', '包版本[{0}]不存在'],
  ARTIFACT_DATA_NOT_FOUND: [251024, 404, 'Artifact file data not found', '制品文件数据不存在'],
  QUOTA_EXCEEDED: [251025, 400, 'Exceeded repository [{0}] quota value [{1}]', '超出仓库[{0}]的配额[{1}]'],
  ARTIFACT_NOT_FOUND: [
    251902,
    404,
    'Artifact [{0}] not found in repo [{1}] !',
    '制品[{0}]在仓库[{1}]中不存在!',
  ],
  UPLOAD_REFUSED: [251903, 403, 'upload refused', '拒绝上传'],
  ARTIFACT_VERSION_NOT_FOUND: [
    251906,
    404,
    'The version [{0}] of artifact not found in repo [{1}] !',
    '制品版本[{0}]在仓库[{1}]中不存在!',
  ],
} as const satisfies Record<
  string,
  readonly [code: number, status: number, english: string, chinese: string]
>;

export type BkrepoErrorName = keyof typeof ERROR_CODES;
export type Language = 'en' | 'zh';

/** The text of an error with its parameters; a placeholder without one stays as it is. */
export function messageOf(name: BkrepoErrorName, parameters: readonly string[], language: Language): string {
  const [, , english, chinese] = ERROR_CODES[name];
  const text = language === 'zh' ? chinese : english;
  return text.replaceAll(/\{(\d)\}/g, (placeholder, index) => parameters[Number(index)] ?? placeholder);
}
