-- Every image that comes into Orthanc goes on to Vesalius; what Vesalius made does not.
function OnStoredInstance(instance, tags, metadata, origin)
   if origin["RemoteAet"] ~= "VESALIUS" then
      SendToModality(instance, "vesalius")
   end
end
