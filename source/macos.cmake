# How the extension is linked on macOS.
# The interpreter brings Python's symbols at load: each name in python_abi.h may stay undefined, and no other. With
# `-undefined dynamic_lookup` a framework that nobody links would come to light at import, or in a call.
function(link_extension target abi_header)
  file(STRINGS "${abi_header}" lines REGEX "Py")
  string(REGEX MATCHALL "_?Py[A-Za-z0-9_]+" names "${lines}")
  list(REMOVE_DUPLICATES names)
  list(TRANSFORM names PREPEND "LINKER:-U,_")
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${abi_header}")
  target_link_options(${target} PRIVATE ${names} "LINKER:-exported_symbol,_PyInit_${target}" "LINKER:-dead_strip")
endfunction()
